"""AutoAugment: every operation against its definition, draws from the generator it is given."""

import math
from collections import Counter

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from nasrepro.data import autoaugment
from nasrepro.data.autoaugment import LARGEST, OPERATIONS, POLICY, apply, auto_augment, equalize


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


PIXELS = noise(16, 16, 3)


def changed(name: str, magnitude: int, sign: int = 1, pixels: np.ndarray = PIXELS) -> np.ndarray:
    return np.asarray(apply(Image.fromarray(pixels), name, magnitude, sign)).astype(int)


# ---- operations


@pytest.mark.parametrize(("magnitude", "pixels"), [(9, 7), (8, 6), (3, 2), (0, 0)])
def test_a_translation_moves_by_whole_pixels_and_leaves_black(magnitude, pixels):
    """At most 150 of 331: 7.25 of 16 pixels."""
    assert pixels == math.floor(16 * 150 / 331 * magnitude / 9)
    left = np.zeros_like(PIXELS)
    left[:, : 16 - pixels] = PIXELS[:, pixels:]
    assert np.array_equal(changed("translate_x", magnitude, -1), left)
    down = np.zeros_like(PIXELS)
    down[pixels:] = PIXELS[: 16 - pixels]
    assert np.array_equal(changed("translate_y", magnitude, 1), down)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("name", ["shear_y", "rotate"])
def test_a_pixel_comes_from_where_the_inverse_transform_says(name, sign):
    magnitude = 7 / LARGEST
    expected = np.zeros(PIXELS.shape, dtype=int)
    for y in range(16):
        for x in range(16):
            u, v = x + 0.5, y + 0.5
            if name == "shear_y":
                v += sign * 0.3 * magnitude * u
            else:  # counterclockwise about the centre, the y axis pointing down
                angle = math.radians(sign * 30 * magnitude)
                cos, sin, du, dv = math.cos(angle), math.sin(angle), u - 8, v - 8
                u, v = 8 + cos * du - sin * dv, 8 + sin * du + cos * dv
            if 0 <= u < 16 and 0 <= v < 16:
                expected[y, x] = PIXELS[int(v), int(u)]
    # Pillow computes with 16 bits after the point: one pixel may be its neighbour.
    assert (changed(name, 7, sign) != expected).any(axis=2).sum() <= 1


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("name", ["brightness", "color", "contrast"])
def test_a_factor_leads_away_from_black_or_grey_or_back_to_it(name, sign):
    grey = PIXELS @ np.array([0.299, 0.587, 0.114])
    origin = {
        "brightness": np.zeros(PIXELS.shape),
        "color": np.repeat(grey[:, :, None], 3, axis=2),
        "contrast": np.full(PIXELS.shape, grey.mean()),
    }[name]
    expected = origin + (1 + sign * 0.9 * 6 / 9) * (PIXELS - origin)
    assert np.abs(changed(name, 6, sign) - expected.clip(0, 255)).max() < 2.5  # each is rounded


def test_sharpness_leads_away_from_the_blurred_image_or_to_it():
    """Blurred with weight 5 of 13 on the pixel itself and 1 on its neighbours."""
    pixels = np.full((5, 5, 3), 100, dtype=np.uint8)
    pixels[2, 2] = 126
    blurred = 100 + 26 * 5 / 13
    for sign, factor in ((1, 1.9), (-1, 0.1)):
        found = changed("sharpness", 9, sign, pixels)
        assert np.abs(found[2, 2] - (blurred + factor * (126 - blurred))).max() <= 1
        assert np.abs(found[1, 2] - (102 + factor * (100 - 102))).max() <= 1
        assert (found[0, 0] == 100).all()


def test_levels_are_cut_turned_and_stretched():
    assert np.array_equal(changed("invert", 0), 255 - PIXELS)
    assert np.array_equal(changed("posterize", 7), PIXELS & 0b11111000)  # 8 - 3.1 bits
    above = PIXELS >= 255 * 4 / 9
    assert np.array_equal(changed("solarize", 5), np.where(above, 255 - PIXELS, PIXELS))
    low = PIXELS // 2 + 20
    span = np.ptp(low, axis=(0, 1))
    stretched = (low - low.min(axis=(0, 1))) * (255 / span)
    assert np.abs(changed("autocontrast", 0, 1, low) - stretched).max() <= 1


@pytest.mark.parametrize(("height", "last"), [(16, 1), (17, 17), (32, 2)])
def test_equalize_is_pillows_where_that_counts_whole_pixels(height, last):
    """One or two pixels a level, without the brightest ones: 255 or 510 of them."""
    pixels = noise(height, 16, 3) // 2
    pixels.reshape(-1, 3)[:last] = 200
    image = Image.fromarray(pixels)
    assert np.array_equal(np.asarray(equalize(image)), np.asarray(ImageOps.equalize(image)))


def test_equalize_spreads_the_levels_of_a_small_image_where_pillow_does_nothing():
    pixels = np.repeat(np.arange(100, 116, dtype=np.uint8), 4).reshape(8, 8)
    image = Image.fromarray(np.stack([pixels] * 3, axis=2))
    assert np.array_equal(np.asarray(ImageOps.equalize(image)), np.asarray(image))
    spread = np.unique(np.asarray(equalize(image)))
    assert spread.tolist() == [int(17 * i + 0.5) for i in range(16)]
    flat = Image.fromarray(np.full((8, 8, 3), 9, dtype=np.uint8))
    assert np.array_equal(np.asarray(equalize(flat)), np.asarray(flat))


# ---- draws


def test_every_operation_comes_as_often_as_the_policy_says(monkeypatch):
    counts: Counter[tuple[str, float, int]] = Counter()

    def recorded(name):
        def count(image, magnitude, sign):
            counts[name, round(LARGEST * magnitude), sign] += 1
            return image

        return count

    monkeypatch.setattr(autoaugment, "OPERATIONS", {name: recorded(name) for name in OPERATIONS})
    images = 20_000
    auto_augment(torch.zeros(images, 3, 1, 1, dtype=torch.uint8), generator())
    expected: Counter[tuple[str, float, int]] = Counter()
    for pair in POLICY:
        for name, chance, magnitude in pair:
            for sign in (1, -1):
                expected[name, magnitude, sign] += images * chance / len(POLICY) / 2
    assert set(counts) == {key for key, number in expected.items() if number}
    for key, number in expected.items():
        assert abs(counts[key] - number) <= 4.5 * math.sqrt(number), key


def test_equal_images_are_changed_differently_and_the_batch_is_left_as_it_was():
    batch = torch.from_numpy(PIXELS).permute(2, 0, 1).repeat(64, 1, 1, 1)
    before = batch.clone()
    found = auto_augment(batch, generator())
    assert found.dtype == torch.uint8 and found.shape == batch.shape and found.is_contiguous()
    assert len(found.unique(dim=0)) > 20
    assert torch.equal(batch, before)


def test_the_seed_decides_and_as_much_is_drawn_whatever_the_images_are():
    batch, states = torch.from_numpy(noise(32, 3, 8, 8)), []
    assert torch.equal(auto_augment(batch, generator(5)), auto_augment(batch, generator(5)))
    assert not torch.equal(auto_augment(batch, generator(5)), auto_augment(batch, generator(6)))
    for images in (batch, torch.zeros_like(batch)):
        source = generator()
        auto_augment(images, source)
        states.append(source.get_state())
    assert torch.equal(*states)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_images_on_a_gpu_are_changed_alike():
    batch = torch.from_numpy(noise(32, 3, 8, 8))
    found = auto_augment(batch.cuda(), generator())
    assert found.is_cuda and torch.equal(found.cpu(), auto_augment(batch, generator()))
