"""Proxy accuracy: each statistics mode against one written by hand, and a net left as it was."""

import copy
import dataclasses
from collections.abc import Iterable, Iterator

import numpy as np
import pytest
import torch
from records import count_correct
from torch import Tensor, nn

from nasrepro import evaluate
from nasrepro import train as train_module
from nasrepro.data.images import Split, load_images, split
from nasrepro.errors import ConfigError
from nasrepro.evaluate import (
    BATCH_NORM_MODES,
    EvaluateConfig,
    check_batches,
    evaluate_paths,
    loss_and_correct,
)
from nasrepro.nets import stacked
from nasrepro.nets.config import NetConfig
from nasrepro.nets.nb201 import supernet
from nasrepro.nets.stacked import forward_in_stacks, forward_stacked
from nasrepro.samplers.nb201 import Uniform
from nasrepro.spaces.nb201 import OPERATIONS, Cell, Subspace
from nasrepro.train import TrainConfig, initialise, train

CELLS = [Cell.from_code(code) for code in (15_624, 7_000, 8_123, 12_345)]
CONFIGS = {
    "batch": EvaluateConfig("batch", batch_size=50),
    "tracked": EvaluateConfig("tracked", batch_size=50),
    "calibrated": EvaluateConfig("calibrated", batch_size=50, calibration_batches=3),
}


@pytest.fixture(scope="module")
def digits() -> Split:
    """Four batches of 50 to calibrate on; of validation images the last batch has 30."""
    return split(load_images("digits"), train_images=200, validation_images=130, size=8)


class Toy(nn.Module):
    """Pixels, batch normalisation, tanh, classifier; a path has pixels and a classifier."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.mix, self.bn, self.classifier = (
            nn.Linear(192, 12),
            nn.BatchNorm2d(12),
            nn.Linear(12, 10),
        )
        generator = torch.Generator().manual_seed(seed)
        for tensor in (*self.parameters(), self.bn.running_mean, self.bn.running_var):
            tensor.data.copy_(torch.randn(tensor.shape, generator=generator))
        self.mix.weight.data /= 5
        self.bn.running_var.abs_().add_(0.5)
        self.paths = torch.randn(5, 192, generator=generator)

    def forward(self, x: Tensor, cell: Cell) -> Tensor:
        if cell.code == 0:
            raise RuntimeError("this path is broken")
        x = self.mix(x.flatten(1) * self.paths[cell.code % 5])
        return self.classifier(self.bn(x[:, :, None, None])[:, :, 0, 0].tanh())

    def forward_many(self, x: Tensor, cells: Iterable[Cell], keep: int = 1) -> Iterator[Tensor]:
        return (self(x, cell) for cell in cells)


def pixels(images: Tensor, part: Split) -> Tensor:
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (part.mean, part.std))
    return ((images / 255 - mean) / std).flatten(1)


def by_hand(net: Toy, cell: Cell, part: Split, mode: str) -> int:
    """Correct images of one path, with every statistic a formula in NumPy."""
    weights = {key: value.detach().numpy() for key, value in net.state_dict().items()}

    def mixed(images: Tensor) -> np.ndarray:
        x = (pixels(images, part) * net.paths[cell.code % 5]).numpy()
        return x @ weights["mix.weight"].T + weights["mix.bias"]

    mean, var = weights["bn.running_mean"], weights["bn.running_var"]
    if mode == "calibrated":
        batches = [mixed(part.train_images[i : i + 50]) for i in (0, 50, 100)]
        mean = np.mean([batch.mean(0) for batch in batches], axis=0)
        var = np.mean([batch.var(0, ddof=1) for batch in batches], axis=0)
    correct = 0
    for start in (0, 50, 100):
        x = mixed(part.validation_images[start : start + 50])
        if mode == "batch":
            mean, var = x.mean(0), x.var(0)
        x = (x - mean) / np.sqrt(var + 1e-5) * weights["bn.weight"] + weights["bn.bias"]
        logits = np.tanh(x) @ weights["classifier.weight"].T + weights["classifier.bias"]
        for row, label in zip(logits, part.validation_labels[start : start + 50], strict=True):
            correct += max(range(10), key=lambda k: row[k]) == int(label)
    return correct


@pytest.mark.parametrize("mode", BATCH_NORM_MODES)
@pytest.mark.parametrize("seed", range(3))
def test_counts_are_those_by_hand(digits, mode, seed):
    net = Toy(seed)
    counts = count_correct(net, CELLS, digits, CONFIGS[mode])
    assert counts.dtype == np.int64
    assert counts.tolist() == [by_hand(net, cell, digits, mode) for cell in CELLS]


def test_the_three_modes_differ(digits):
    """Or the test above would not tell them apart."""
    counts = {
        mode: [by_hand(Toy(seed), cell, digits, mode) for seed in range(3) for cell in CELLS]
        for mode in BATCH_NORM_MODES
    }
    assert counts["batch"] != counts["tracked"] != counts["calibrated"] != counts["batch"]


@pytest.fixture(scope="module")
def net(digits):
    """A supernet that has seen some training: its statistics and weights are not the initial."""
    net = supernet(NetConfig(4, 1))
    initialise(net, torch.Generator().manual_seed(0))
    config = TrainConfig(epochs=2, batch_size=20, learning_rate=0.1)
    generator = torch.Generator().manual_seed(0)
    list(train(net, digits, Uniform(Subspace()), config, np.random.default_rng(0), generator))
    return net


def counted(net: nn.Module, cell: Cell, part: Split) -> int:
    with torch.no_grad():
        hits = [
            net(pixels(images, part).view(-1, 3, 8, 8), cell).argmax(1) == labels
            for images, labels in zip(
                part.validation_images.split(50), part.validation_labels.split(50), strict=True
            )
        ]
    return int(torch.cat(hits).sum())


def test_a_supernet_is_evaluated_by_pytorchs_own_modes(digits, net):
    tracked = [counted(copy.deepcopy(net).eval(), cell, digits) for cell in CELLS]
    batch = [counted(copy.deepcopy(net).train(), cell, digits) for cell in CELLS]
    assert count_correct(net, CELLS, digits, CONFIGS["tracked"]).tolist() == tracked
    assert count_correct(net, CELLS, digits, CONFIGS["batch"]).tolist() == batch
    assert batch != tracked


def test_a_supernet_without_tracked_statistics_is_evaluated_by_the_batch(digits, net):
    bare = supernet(NetConfig(4, 1, tracked_statistics=False))
    bare.load_state_dict(
        {key: value for key, value in net.state_dict().items() if key in bare.state_dict()}
    )
    expected = count_correct(net, CELLS, digits, CONFIGS["batch"])
    assert count_correct(bare, CELLS, digits, CONFIGS["batch"]).tolist() == expected.tolist()
    for mode in ("tracked", "calibrated"):
        with pytest.raises(ConfigError, match=f"batch_norm='{mode}' needs .* tracked statistics"):
            count_correct(bare, CELLS, digits, CONFIGS[mode])


def test_a_batch_of_one_image_is_refused_before_anything_is_computed():
    with pytest.raises(ConfigError, match="301 validation images in batches of 100 leave one"):
        check_batches(EvaluateConfig("batch", batch_size=100), 301)
    check_batches(EvaluateConfig("tracked", batch_size=100), 301)


@pytest.mark.parametrize("mode", BATCH_NORM_MODES)
def test_a_cells_count_does_not_depend_on_the_others(digits, net, mode):
    together = count_correct(net, CELLS, digits, CONFIGS[mode]).tolist()
    alone = [count_correct(net, [cell], digits, CONFIGS[mode]).item() for cell in CELLS]
    backwards = count_correct(net, CELLS[::-1], digits, CONFIGS[mode]).tolist()
    assert together == alone == backwards[::-1]
    assert len(set(together)) > 1


def test_calibrated_paths_in_step_are_each_calibrated_on_their_own(digits, net, monkeypatch):
    """Enough cells that the memo forgets: what is computed anew must be calibrated anew."""
    generator = np.random.default_rng(2)
    cells = [Subspace().sample(generator) for _ in range(60)]
    alone = [count_correct(net, [cell], digits, CONFIGS["calibrated"]).item() for cell in cells]
    for memo in (0, 30, 120):
        monkeypatch.setattr(evaluate, "CALIBRATED_MEMO", memo)
        assert count_correct(net, cells, digits, CONFIGS["calibrated"]).tolist() == alone


@pytest.mark.parametrize("mode", ["batch", "tracked"])
@pytest.mark.parametrize(
    ("paths_in_budget", "together"),
    [
        (1_000, [8] * 3),
        (3.5, [3, 3, 2] * 2 + [5, 3]),  # the last batch has 30 images instead of 50
        (0.1, [1] * 24),
    ],
)
def test_stacked_paths_count_as_paths_one_by_one(
    digits, net, mode, paths_in_budget, together, monkeypatch
):
    """A path of 50 images, 4 channels and 8x8 pixels has 12,800 elements in the first stage."""
    calls = []

    def counting(net, x, cells):
        calls.append(len(cells))
        return forward_stacked(net, x, cells)

    monkeypatch.setattr(stacked, "STACKED_ELEMENTS", int(paths_in_budget * 12_800))
    monkeypatch.setattr(stacked, "forward_stacked", counting)
    cells = [*CELLS, *(Cell.from_code(code) for code in (1_111, 5_555, 9_999, 14_321))]
    expected = count_correct(net, cells, digits, CONFIGS[mode])
    assert calls == [] and len(set(expected.tolist())) > 3
    assert count_correct(net, cells, digits, CONFIGS[mode], stacked=forward_in_stacks).tolist() == (
        expected.tolist()
    )
    assert calls == together


def test_no_more_paths_are_stacked_than_the_limit(digits, net, monkeypatch):
    monkeypatch.setattr(stacked, "STACKED_PATHS", 3)
    counts = count_correct(net, CELLS, digits, CONFIGS["batch"], stacked=forward_in_stacks)
    assert counts.tolist() == count_correct(net, CELLS, digits, CONFIGS["batch"]).tolist()


def test_paths_that_cannot_be_stacked_are_refused(digits, net):
    with pytest.raises(ConfigError, match="they cannot be stacked"):
        count_correct(net, CELLS, digits, CONFIGS["calibrated"], stacked=forward_in_stacks)


def everything(net: nn.Module) -> list:
    """All of a net that an evaluation could leave changed."""
    return [
        {key: value.tolist() for key, value in net.state_dict().items()},
        [(name, module.training) for name, module in net.named_modules()],
        [
            (module.momentum, module.track_running_stats, module.eps)
            for module in net.modules()
            if isinstance(module, nn.BatchNorm2d)
        ],
        [parameter.requires_grad for parameter in net.parameters()],
        torch.is_inference_mode_enabled(),
        torch.is_grad_enabled(),
    ]


@pytest.mark.parametrize("mode", BATCH_NORM_MODES)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("broken", [False, True], ids=["whole", "broken"])
def test_the_net_is_left_as_it_was(digits, mode, training, broken):
    net = Toy().train(training)
    net.bn.momentum = 0.123
    before = everything(net)
    if broken:
        with pytest.raises(RuntimeError, match="this path is broken"):
            count_correct(net, [*CELLS, Cell.from_code(0), *CELLS], digits, CONFIGS[mode])
    else:
        count_correct(net, CELLS, digits, CONFIGS[mode])
    assert everything(net) == before


@pytest.mark.parametrize("mode", BATCH_NORM_MODES)
def test_training_goes_on_as_if_nothing_had_been_evaluated(digits, net, mode):
    def continued(evaluate: bool) -> list:
        again = copy.deepcopy(net)
        if evaluate:
            count_correct(again, CELLS, digits, CONFIGS[mode])
        generator = torch.Generator().manual_seed(1)
        config = TrainConfig(epochs=1, batch_size=50)
        list(train(again, digits, Uniform(Subspace()), config, np.random.default_rng(1), generator))
        return everything(again)

    assert continued(evaluate=True) == continued(evaluate=False)


@pytest.mark.parametrize("mode", BATCH_NORM_MODES)
def test_loss_and_count_of_one_path(digits, mode):
    """The count is `count_correct`'s; the loss is the mean of -log softmax over all images."""
    net, images, labels = Toy(), digits.validation_images, digits.validation_labels
    before, logits = everything(net), []
    hook = net.register_forward_hook(lambda *call: logits.append(call[-1]))
    loss, correct = loss_and_correct(net, CELLS[1], images, labels, digits, CONFIGS[mode])
    hook.remove()
    assert correct == count_correct(net, CELLS[1:2], digits, CONFIGS[mode]).item()
    scores = np.concatenate([batch.numpy() for batch in logits[-3:]]).astype(np.float64)
    chosen = scores[np.arange(130), labels.numpy()]
    assert loss == pytest.approx(np.mean(np.log(np.exp(scores).sum(1)) - chosen), rel=1e-5)
    assert everything(net) == before


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"batch_norm": "running"}, "'running'; choose from batch, tracked, calibrated"),
        ({"batch_norm": "calibrated"}, "needs calibration_batches >= 1.*'calibrated' with 0"),
        (
            {"batch_norm": "calibrated", "calibration_batches": -1},
            "needs calibration_batches >= 1.*'calibrated' with -1",
        ),
        ({"batch_norm": "batch", "calibration_batches": 2}, "others need 0; found 'batch' with 2"),
        ({"calibration_batches": 2}, "others need 0; found 'tracked' with 2"),
        ({"batch_size": 0}, "at least 1 image, found batch_size=0"),
        ({"precision": "float16"}, "unknown precision 'float16'; choose from float32, bfloat16"),
    ],
)
def test_impossible_settings_are_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        EvaluateConfig(**values)


@pytest.mark.parametrize("mode", BATCH_NORM_MODES)
def test_cells_that_differ_off_every_route_are_evaluated_once(digits, net, mode):
    """Node 1 leads nowhere, so edge 0 is free; the last cell differs in a live edge."""
    rest = ("nor_conv_3x3", "none", "none", "none", "skip_connect")
    many = [Cell((operation, *rest)) for operation in OPERATIONS]
    many.append(Cell(("none", "nor_conv_1x1", *rest[1:])))
    alone = [count_correct(net, [cell], digits, CONFIGS[mode]).item() for cell in many]

    calls, one = [], copy.deepcopy(net)
    one.classifier.register_forward_hook(lambda *_: calls.append(1))
    count_correct(one, many[:1], digits, CONFIGS[mode])
    once = len(calls)
    assert count_correct(one, many, digits, CONFIGS[mode]).tolist() == alone
    assert len(calls) == 3 * once


@pytest.mark.parametrize("mode", BATCH_NORM_MODES)
def test_no_cells_have_no_counts(digits, net, mode):
    assert count_correct(net, [], digits, CONFIGS[mode]).tolist() == []


@pytest.mark.parametrize("batches", [5, 500])
def test_more_calibration_batches_than_training_images_are_refused(digits, net, batches):
    config = dataclasses.replace(CONFIGS["calibrated"], calibration_batches=batches)
    with pytest.raises(ConfigError, match="200"):
        count_correct(net, CELLS, digits, config)


def test_mixed_precision_is_used_and_counts_nearly_the_same(digits, net, monkeypatch):
    monkeypatch.setattr(train_module, "multiplies_bfloat16", lambda kind: True)
    types = []
    net = copy.deepcopy(net)
    net.classifier.register_forward_hook(lambda *call: types.append(call[-1].dtype))
    config = dataclasses.replace(CONFIGS["tracked"], precision="bfloat16")
    exact = count_correct(net, CELLS, digits, CONFIGS["tracked"])
    assert set(types) == {torch.float32}
    types.clear()
    rounded = count_correct(net, CELLS, digits, config)
    assert set(types) == {torch.bfloat16}
    assert np.abs(rounded - exact).max() <= 13  # of 130 images


def test_cells_that_the_supernet_lacks_are_refused(digits, net):
    small = supernet(NetConfig(4, 1), ("skip_connect", "nor_conv_1x1"))
    with pytest.raises(ConfigError, match="offers skip_connect, nor_conv_1x1, not 'avg_pool_3x3'"):
        count_correct(small, CELLS, digits, CONFIGS["batch"])


@pytest.mark.parametrize("mode", CONFIGS)
def test_losses_of_many_paths_are_those_of_each(digits, mode):
    net, validation = Toy(), (digits.validation_images, digits.validation_labels)
    evaluations = evaluate_paths(net, CELLS, digits, CONFIGS[mode])
    one_by_one = [loss_and_correct(net, cell, *validation, digits, CONFIGS[mode]) for cell in CELLS]
    assert evaluations.loss == pytest.approx([loss for loss, _ in one_by_one], rel=1e-5)
    assert evaluations.correct.tolist() == [correct for _, correct in one_by_one]
    assert len(set(evaluations.loss.tolist())) == 3  # two of the four are one path
