"""Augmentation: as a slow loop over images would do it, from the generator it is given."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nasrepro.data.augment import normalise, random_crop, random_flip

MEAN, STD = (0.49, 0.48, 0.45), (0.25, 0.24, 0.26)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(count: int, height: int = 6, width: int = 5) -> Tensor:
    return torch.randint(
        1, 256, (count, 3, height, width), dtype=torch.uint8, generator=generator()
    )


def slow_crop(batch: Tensor, padding: int, source: torch.Generator) -> Tensor:
    rows, columns = torch.randint(2 * padding + 1, (2, len(batch)), generator=source).tolist()
    height, width = batch.shape[-2:]
    out = torch.zeros_like(batch)
    for n in range(len(batch)):
        for y in range(height):
            for x in range(width):
                from_y, from_x = y + rows[n] - padding, x + columns[n] - padding
                if 0 <= from_y < height and 0 <= from_x < width:
                    out[n, :, y, x] = batch[n, :, from_y, from_x]
    return out


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 7), st.integers(1, 4), st.integers(0, 2**31))
def test_crop_equals_a_loop_over_images(count, padding, seed):
    batch = noise(count)
    expected = slow_crop(batch, padding, generator(seed))
    assert torch.equal(random_crop(batch, padding, generator(seed)), expected)


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 9), st.integers(0, 2**31))
def test_flip_equals_a_loop_over_images(count, seed):
    batch = noise(count)
    flips = torch.randint(2, (count,), generator=generator(seed)).tolist()
    expected = torch.stack([b.flip(2) if f else b for b, f in zip(batch, flips, strict=True)])
    assert torch.equal(random_flip(batch, generator(seed)), expected)


def test_no_padding_changes_nothing_and_draws_nothing():
    batch, source = noise(4), generator()
    assert torch.equal(random_crop(batch, 0, source), batch)
    assert torch.equal(source.get_state(), generator().get_state())


def test_half_of_the_images_are_flipped():
    batch = torch.arange(2, dtype=torch.uint8).expand(10_000, 1, 1, 2)
    flipped = random_flip(batch, generator())[:, 0, 0, 0].float().mean()
    assert abs(float(flipped) - 0.5) < 0.015  # three standard errors


def test_every_window_is_as_likely():
    batch = noise(1, 4, 4).expand(18_000, 3, 4, 4)
    windows, counts = random_crop(batch, 1, generator()).unique(dim=0, return_counts=True)
    assert len(windows) == 9
    assert counts.float().sub(2_000).abs().max() < 170  # four standard errors


def test_the_border_is_black_before_normalisation():
    batch = torch.full((50, 3, 4, 4), 200, dtype=torch.uint8)
    assert set(random_crop(batch, 2, generator()).unique().tolist()) == {0, 200}


def test_inputs_are_left_as_they_were():
    batch = noise(16)
    before = batch.clone()
    normalise(random_flip(random_crop(batch, 2, generator()), generator()), MEAN, STD)
    assert torch.equal(batch, before)


@pytest.mark.parametrize("augment", [lambda b, g: random_crop(b, 2, g), random_flip])
def test_the_seed_decides_and_nothing_else(augment):
    batch = noise(64)
    torch.manual_seed(0)
    first = augment(batch, generator(5))
    torch.manual_seed(1)
    assert torch.equal(augment(batch, generator(5)), first)
    assert not torch.equal(augment(batch, generator(6)), first)


def test_normalise_is_the_textbook_formula():
    batch = noise(8)
    mean, std = (torch.tensor(values)[:, None, None] for values in (MEAN, STD))
    expected = (batch / 255 - mean) / std
    torch.testing.assert_close(normalise(batch, MEAN, STD), expected, rtol=1e-5, atol=1e-5)


def test_normalised_data_have_mean_zero_and_std_one():
    batch = noise(2_000, 8, 8)
    channels = batch.double().div(255).transpose(0, 1).flatten(1)
    result = normalise(batch, tuple(channels.mean(1).tolist()), tuple(channels.std(1).tolist()))
    per_channel = result.transpose(0, 1).flatten(1)
    assert per_channel.mean(1).abs().max() < 1e-4
    assert (per_channel.std(1) - 1).abs().max() < 1e-4


def test_memory_format_does_not_change_values():
    batch = noise(16)
    last = batch.to(memory_format=torch.channels_last)
    assert torch.equal(random_crop(last, 2, generator(3)), random_crop(batch, 2, generator(3)))
    assert torch.equal(random_flip(last, generator(3)), random_flip(batch, generator(3)))
    assert torch.equal(normalise(last, MEAN, STD), normalise(batch, MEAN, STD))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gets_the_same_crops_and_flips():
    batch = noise(32)
    assert torch.equal(
        random_crop(batch.cuda(), 2, generator()).cpu(), random_crop(batch, 2, generator())
    )
    assert torch.equal(
        random_flip(batch.cuda(), generator()).cpu(), random_flip(batch, generator())
    )
