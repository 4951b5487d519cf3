"""Images as tensors: which images a run sees, and at which size."""

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nasrepro.data.images import ImageSet, held_out_test, load_images, resize, split
from nasrepro.errors import ConfigError
from nasrepro.runs.bench import BENCHES
from nasrepro.studies import NAMES, study


def numbered(count: int) -> ImageSet:
    """Images whose label is their own number, so that a split shows which it took."""
    pixels = (torch.arange(count) % 256).to(torch.uint8)[:, None, None, None].repeat(1, 3, 4, 4)
    return ImageSet(
        name="numbered",
        train_images=pixels,
        train_labels=torch.arange(count),
        test_images=pixels[:1],
        test_labels=torch.tensor([-1]),
        mean=(0.5, 0.5, 0.5),
        std=(0.2, 0.2, 0.2),
        num_classes=count,
    )


LARGE = numbered(30_000)
VALIDATION, TRAINING = [6884, 29645, 7435, 26835], [25061, 19841, 19058, 25378]


def test_all_test_images_are_held_out_in_their_order_and_shrunk_as_the_others():
    digits = load_images("digits")
    images, labels = held_out_test(digits, size=4)
    assert torch.equal(labels, digits.test_labels)
    assert torch.equal(images, resize(digits.test_images, 4))
    assert torch.equal(held_out_test(digits)[0], digits.test_images)
    with pytest.raises(ConfigError, match="can be shrunk"):
        held_out_test(digits, size=9)


def test_digits_are_as_documented():
    digits = load_images("digits")
    assert digits.train_images.shape == (1437, 3, 8, 8)
    assert digits.test_images.shape == (360, 3, 8, 8)
    assert digits.train_images.dtype == torch.uint8 and digits.train_labels.dtype == torch.int64
    assert (int(digits.train_images.min()), int(digits.train_images.max())) == (0, 255)
    assert digits.train_labels.unique().tolist() == list(range(digits.num_classes))
    grey = digits.train_images.float() / 255
    assert grey.mean(dim=(0, 2, 3)).tolist() == pytest.approx(digits.mean, abs=1e-5)
    assert grey.std(dim=(0, 2, 3)).tolist() == pytest.approx(digits.std, abs=1e-4)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ConfigError, match=r"unknown data set 'svhn'.*cifar10, cifar100, digits"):
        load_images("svhn")


def test_training_and_validation_never_share_an_image():
    chosen = split(LARGE, 25_000, 5_000)
    both = torch.cat([chosen.train_labels, chosen.validation_labels])
    assert sorted(both.tolist()) == list(range(30_000))


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 25_000), st.integers(0, 5_000))
def test_smaller_sets_are_nested_in_larger_ones(train, validation):
    small, large = split(LARGE, train, validation), split(LARGE, 25_000, 5_000)
    assert torch.equal(small.train_labels, large.train_labels[:train])
    assert torch.equal(small.validation_labels, large.validation_labels[:validation])


def test_labels_stay_with_their_images():
    chosen = split(LARGE, 100, 50)
    for images, labels in (
        (chosen.train_images, chosen.train_labels),
        (chosen.validation_images, chosen.validation_labels),
    ):
        assert torch.equal(images[:, 0, 0, 0].long(), labels % 256)


def test_the_split_is_the_one_of_the_published_runs():
    """If this fails, records of earlier runs trained on other images."""
    chosen = split(LARGE, 4, 4)
    assert chosen.validation_labels.tolist() == VALIDATION
    assert chosen.train_labels.tolist() == TRAINING


def test_who_validates_on_more_holds_out_more():
    """In the same order, so that the validation images of all other runs are part of them."""
    usual, larger = split(LARGE, 25_000, 5_000), split(LARGE, 20_016, 9_984)
    assert larger.validation_labels[:5_000].tolist() == usual.validation_labels.tolist()
    assert larger.train_labels.tolist() == usual.train_labels[4_984:].tolist()
    both = torch.cat([larger.train_labels, larger.validation_labels])
    assert sorted(both.tolist()) == list(range(30_000))
    with pytest.raises(ConfigError, match="numbered has 20,016 training images, asked for 20,017"):
        split(LARGE, 20_017, 9_984)
    with pytest.raises(ConfigError, match="30,000 validation images, asked for 30,001"):
        split(LARGE, 0, 30_001)


def test_every_profile_asks_for_images_that_there_are():
    """Of as many images as CIFAR-10 and MNIST have, of one pixel each."""
    pixels, labels = torch.zeros(50_000, 3, 1, 1, dtype=torch.uint8), torch.zeros(50_000).long()
    cifar10 = dataclasses.replace(LARGE, name="cifar10", train_images=pixels, train_labels=labels)
    more = torch.zeros(60_000, 3, 1, 1, dtype=torch.uint8), torch.zeros(60_000).long()
    mnist = dataclasses.replace(LARGE, name="mnist", train_images=more[0], train_labels=more[1])
    sets = {"cifar10": cifar10, "mnist": mnist, "digits": load_images("digits")}
    wanted = {
        config.data
        for module in map(study, NAMES)
        for profile in module.PROFILES
        for config in module.design(profile)
    }
    wanted |= {bench.data for bench in BENCHES.values()}
    assert len(wanted) > 5
    for data in wanted:
        chosen = split(sets[data.name], data.train_images, data.validation_images)
        assert len(chosen.train_labels) == data.train_images
        assert len(chosen.validation_labels) == data.validation_images


def test_the_split_leaves_the_global_generator_alone():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    split(LARGE, 10, 10)
    assert torch.equal(torch.rand(3), expected)


def test_a_small_set_holds_out_a_fifth():
    digits = load_images("digits")
    chosen = split(digits, 1150, 287)
    assert (len(chosen.train_labels), len(chosen.validation_labels)) == (1150, 287)
    with pytest.raises(ConfigError, match="digits has 1,150 training images, asked for 1,151"):
        split(digits, 1151, 0)
    with pytest.raises(ConfigError, match="digits has 287 validation images, asked for 288"):
        split(digits, 1, 288)
    with pytest.raises(ConfigError, match="asked for -1"):
        split(digits, -1, 0)


def test_a_split_carries_what_networks_need_and_is_contiguous():
    digits = load_images("digits")
    chosen = split(digits, 20, 10, size=4, device=torch.device("cpu"))
    assert chosen.train_images.shape == (20, 3, 4, 4)
    assert chosen.validation_images.shape == (10, 3, 4, 4)
    assert chosen.train_images.is_contiguous() and chosen.train_images.dtype == torch.uint8
    assert (chosen.mean, chosen.std, chosen.num_classes) == (digits.mean, digits.std, 10)
    shared = {field.name for field in dataclasses.fields(chosen)}
    assert "test_images" not in shared


def test_split_goes_to_the_asked_device():
    assert split(LARGE, 3, 2, device="meta").train_images.device.type == "meta"


def block_means(images: Tensor, size: int) -> list[float]:
    """Means over square blocks, the slow way."""
    step = images.shape[-1] // size
    return [
        sum(image[c][y * step + i][x * step + j] for i in range(step) for j in range(step))
        / step**2
        for image in images.tolist()
        for c in range(len(image))
        for y in range(size)
        for x in range(size)
    ]


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**31), st.sampled_from([(4, 2), (6, 2), (6, 3), (8, 1), (8, 4)]))
def test_shrinking_averages_over_blocks(seed, sizes):
    generator = torch.Generator().manual_seed(seed)
    shape = (3, 3, sizes[0], sizes[0])
    images = torch.randint(256, shape, generator=generator, dtype=torch.uint8)
    expected = [round(mean) for mean in block_means(images, sizes[1])]
    assert resize(images, sizes[1]).flatten().tolist() == expected


def test_many_images_shrink_as_one_by_one():
    shrunk = resize(LARGE.train_images[:2_500], 2)
    assert torch.equal(shrunk, LARGE.train_images[:2_500, :, :2, :2])
    assert resize(LARGE.train_images[:0], 2).shape == (0, 3, 2, 2)


@pytest.mark.parametrize("size", [0, -1, 5])
def test_images_are_not_enlarged(size):
    message = f"images of 4x4 pixels can be shrunk to 1 to 4, found size={size}"
    with pytest.raises(ConfigError, match=message):
        split(LARGE, 10, 10, size=size)


def test_none_keeps_the_size():
    assert split(LARGE, 10, 10, size=None).train_images.shape == (10, 3, 4, 4)
