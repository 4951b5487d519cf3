"""Differentiable search: gradients against autograd, periods against training, relaxations."""

import copy
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from nasrepro.darts.algorithm import Algorithm, Phase, check_search
from nasrepro.darts.gradients import GRADIENTS, by_autograd, by_finite_differences
from nasrepro.darts.learner import Learner, widened
from nasrepro.darts.relaxations import (
    RELAXATIONS,
    categorical,
    dirichlet,
    gumbel,
    softmax,
    strongest,
)
from nasrepro.darts.search import initial_alphas, search
from nasrepro.darts.spectrum import architecture_spectrum
from nasrepro.data.images import Split
from nasrepro.errors import ConfigError
from nasrepro.nets.config import NetConfig
from nasrepro.nets.nb201 import extract, supernet
from nasrepro.nets.relaxed import SHAPE, RelaxedNetwork, alone, discretise
from nasrepro.samplers import Fixed
from nasrepro.spaces.nb201 import Cell
from nasrepro.train import TrainConfig, batches, initialise, updates
from nasrepro.updates import Reptile

NET = NetConfig(
    channels=2, cells_per_stage=1, affine=False, tracked_statistics=False, affine_around=True
)
TRAIN = TrainConfig(
    epochs=2,
    batch_size=8,
    learning_rate=0.05,
    final_learning_rate=0.01,
    weight_decay=5e-4,
    crop_padding=1,
)


class Small(nn.Module):
    """A smooth network of 24 weights in float64, mixed by alphas."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 4, bias=False, dtype=torch.float64)
        self.second = nn.Linear(3, 4, bias=False, dtype=torch.float64)

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        return weights[0, 0] * torch.tanh(self.first(x)) + weights[0, 1] * self.second(x)


@pytest.fixture
def small() -> tuple[Learner, Tensor, list, list]:
    torch.manual_seed(0)  # of the module's own initialisation
    net = Small()
    generator = torch.Generator().manual_seed(0)
    train = replace(TRAIN, gradient_clip=None)

    def several(n: int) -> list:
        return [
            (
                torch.randn(5, 3, generator=generator, dtype=torch.float64),
                torch.randint(4, (5,), generator=generator),
            )
            for _ in range(n)
        ]

    alphas = torch.randn(1, 2, generator=generator, dtype=torch.float64).requires_grad_()
    learner = Float64(net, train, steps=20)
    return learner, alphas, several(4), several(4)


class Float64(Learner):
    """A learner that keeps its losses in float64."""

    def logits(self, batch, weights, parameters=None):
        if parameters is None:
            return self.net(batch[0], weights)
        return torch.func.functional_call(self.net, parameters, (batch[0], weights))


def losses_by_hand(learner: Learner, alphas: Tensor, training: list, graph: bool) -> list[Tensor]:
    """The losses of plain SGD with momentum and decay, through which autograd can look."""
    weights = [p.detach().clone().requires_grad_() for p in learner.net.parameters()]
    momenta = [torch.zeros_like(w) for w in weights]
    found = []
    for number, (x, y) in enumerate(training):
        mix = alphas.softmax(-1)
        out = mix[0, 0] * torch.tanh(x @ weights[0].T) + mix[0, 1] * (x @ weights[1].T)
        loss = F.cross_entropy(out, y)
        found.append(loss)
        grads = torch.autograd.grad(loss, weights, create_graph=graph, retain_graph=True)
        rate = learner.rate(ahead=number)
        momenta = [0.9 * m + g + 5e-4 * w for m, g, w in zip(momenta, grads, weights, strict=True)]
        weights = [w - rate * m for w, m in zip(weights, momenta, strict=True)]
        if not graph:
            weights = [w.detach().requires_grad_() for w in weights]
    return found


def test_the_approximate_gradient_is_the_sum_of_direct_gradients(small):
    learner, alphas, training, validation = small
    losses = losses_by_hand(learner, alphas, training, graph=False)
    expected = sum(torch.autograd.grad(loss, alphas, retain_graph=True)[0] for loss in losses)
    found = GRADIENTS["training"].function(learner, alphas, softmax, training, validation)
    torch.testing.assert_close(found, expected)
    assert alphas.grad is None and len(learner.losses) == len(training) - 1


def test_the_exact_gradient_is_that_of_the_unrolled_loop(small):
    learner, alphas, training, validation = small
    losses = losses_by_hand(learner, alphas, training, graph=True)
    (expected,) = torch.autograd.grad(sum(losses), alphas)
    found = GRADIENTS["unrolled"].function(learner, alphas, softmax, training, validation)
    torch.testing.assert_close(found, expected)
    approximate = GRADIENTS["training"].function(learner, alphas, softmax, training, validation)
    assert (found - approximate).abs().max() > 1e-4  # what the approximation leaves out


def test_the_exact_gradient_is_the_slope_of_the_sum_of_losses(small):
    learner, alphas, training, validation = small
    found = GRADIENTS["unrolled"].function(learner, alphas, softmax, training, validation)
    step = torch.tensor([[1e-5, 0.0]], dtype=torch.float64)
    sums = [
        sum(loss.item() for loss in losses_by_hand(learner, a, training, graph=False))
        for a in (alphas + step, alphas - step)
    ]
    assert found[0, 0].item() == pytest.approx((sums[0] - sums[1]) / 2e-5, rel=1e-5)


def test_second_order_is_the_gradient_through_one_step(small):
    learner, alphas, training, validation = small
    losses = losses_by_hand(learner, alphas, [training[0], validation[0]], graph=True)
    (expected,) = torch.autograd.grad(losses[1], alphas)
    one = training[:1], validation[:1]
    exact = GRADIENTS["exact product"].function(learner, alphas, softmax, *one)
    near = GRADIENTS["finite differences"].function(learner, alphas, softmax, *one)
    first = GRADIENTS["validation"].function(learner, alphas, softmax, *one)
    torch.testing.assert_close(exact, expected)
    # Finite differences are right up to the square of a distance of 0.01.
    torch.testing.assert_close(near, expected, rtol=0, atol=1e-5)
    assert (first - expected).abs().max() > 1e-4


def test_both_products_agree(small):
    learner, alphas, training, _ = small
    vector = [torch.ones_like(p) for p in learner.net.parameters()]
    near, exact = (
        product(learner, alphas, softmax, training[0], vector)
        for product in (by_finite_differences, by_autograd)
    )
    torch.testing.assert_close(near, exact, rtol=1e-3, atol=1e-6)


def test_second_order_sees_the_momentum(small):
    learner, alphas, training, validation = small
    learner.step(training[1], softmax(alphas).detach())
    one = training[:1], validation[:1]
    exact = GRADIENTS["exact product"].function(learner, alphas, softmax, *one)
    other = copy.deepcopy(learner)
    other.step(training[0], softmax(alphas).detach())
    (direct,) = torch.autograd.grad(other.loss(validation[0], softmax(alphas)), alphas)
    validated = other.loss(validation[0], softmax(alphas))
    vector = torch.autograd.grad(validated, list(other.net.parameters()))
    indirect = by_autograd(learner, alphas, softmax, training[0], list(vector))
    torch.testing.assert_close(exact, direct - learner.rate() * indirect)


# ---- the loop


def split(n: int = 24) -> Split:
    generator = torch.Generator().manual_seed(3)
    images = torch.randint(256, (2 * n, 3, 8, 8), generator=generator, dtype=torch.uint8)
    labels = torch.randint(10, (2 * n,), generator=generator)
    return Split(images[:n], labels[:n], images[n:], labels[n:], (0.5,) * 3, (0.2,) * 3, 10)


def start(algorithm: Algorithm) -> tuple[RelaxedNetwork, Tensor, list[torch.Generator]]:
    net = supernet(NET)
    initialise(net, torch.Generator().manual_seed(0))
    generators = [torch.Generator().manual_seed(seed) for seed in (1, 2, 3, 4)]
    return RelaxedNetwork(net), initial_alphas(SHAPE, algorithm, generators[3]), generators[:3]


def run(algorithm: Algorithm, train: TrainConfig = TRAIN) -> tuple[list, RelaxedNetwork]:
    net, alphas, generators = start(algorithm)
    return list(search(lambda _: net, alphas, split(), train, algorithm, *generators)), net


def test_one_step_is_first_order_darts_on_training_data():
    """T = 1 against the two lines of DARTS, with training images in place of validation images."""
    algorithm = Algorithm(gradient="training", learning_rate=0.1)
    epochs, found = run(algorithm)
    net, alphas, (images, *_) = start(algorithm)
    learner = Learner(net, TRAIN, 6)
    optimizer = torch.optim.Adam([alphas], 0.1, (0.5, 0.999), weight_decay=1e-3)
    stream = batches(split(), TRAIN, images)
    net.train()
    for _ in range(6):
        batch = next(stream)
        alphas.grad = torch.autograd.grad(learner.loss(batch, softmax(alphas)), alphas)[0]
        optimizer.step()
        learner.step(batch, softmax(alphas).detach())
    np.testing.assert_allclose(epochs[-1].alphas, alphas.detach().numpy(), rtol=1e-5, atol=1e-6)
    for ours, theirs in zip(net.parameters(), found.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("gradient", ["training", "validation"])
def test_a_replay_leaves_the_weights_as_training_alone_with_the_new_alphas(gradient):
    train = replace(TRAIN, epochs=1)
    algorithm = Algorithm(gradient=gradient, steps=3, learning_rate=0.1)
    (epoch,), found = run(algorithm, train)
    assert epoch.steps == 1
    net, _, (images, *_) = start(algorithm)
    learner, stream = Learner(net, train, 3), batches(split(), train, images)
    net.train()
    for _ in range(3):
        learner.step(next(stream), softmax(torch.from_numpy(epoch.alphas)))
    for ours, theirs in zip(net.parameters(), found.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
    assert epoch.loss == pytest.approx(float(torch.stack(learner.losses).mean()))


def test_without_a_replay_the_weights_go_on_from_the_sum():
    """Frozen alphas leave the weights as training alone does, with and without a replay."""
    results = []
    for steps, replay in ((1, True), (3, True), (3, False), (2, False)):
        frozen = Algorithm(
            gradient="training", steps=steps, replay=replay, learning_rate=0, initial_noise=0
        )
        epochs, net = run(frozen)
        assert all((epoch.alphas == 0).all() for epoch in epochs)
        results.append((epochs, [p.detach() for p in net.parameters()]))
    for epochs, weights in results[1:]:
        for ours, theirs in zip(weights, results[0][1], strict=True):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
        for ours, theirs in zip(epochs, results[0][0], strict=True):
            assert ours.loss == pytest.approx(theirs.loss)
            np.testing.assert_allclose(ours.gradient, theirs.gradient, rtol=1e-4, atol=1e-6)
    assert [epoch.steps for epoch in results[3][0]] == [2, 2]  # of three batches, two and one


def test_a_warm_up_trains_weights_alone():
    epochs, _ = run(Algorithm(learning_rate=0.1, warmup_epochs=1, initial_noise=0))
    assert (epochs[0].alphas == 0).all() and epochs[0].steps == 0
    assert (epochs[1].alphas != 0).any() and epochs[1].steps == 3


def test_adam_moves_an_alpha_by_at_most_its_rate_a_step_at_first():
    epochs, _ = run(replace(Algorithm(initial_noise=0, learning_rate=0.01)), TRAIN)
    assert 0.01 < np.abs(epochs[0].alphas).max() < 0.05


def test_a_search_is_the_same_for_the_same_generators():
    for name, relaxation in RELAXATIONS.items():
        gradient = "reinforce" if name == "categorical" else "validation"
        algorithm = Algorithm(relaxation=name, gradient=gradient, learning_rate=0.1)
        (first, _), (again, _) = run(algorithm), run(algorithm)
        assert all((a.alphas == b.alphas).all() for a, b in zip(first, again, strict=True)), name
        assert np.abs(first[-1].gradient).sum() > 0, relaxation


def test_a_search_that_diverges_ends():
    wild = replace(TRAIN, epochs=9, learning_rate=1e12, final_learning_rate=1e12)
    *before, last = run(Algorithm(), wild)[0]
    assert not np.isfinite(last.loss) and np.isfinite([epoch.loss for epoch in before]).all()
    assert len(before) + 1 < 9


def test_a_step_as_a_function_is_the_optimisers_own():
    """With momentum, and weight decay on kernels but not on what normalisation learns."""
    net, alphas, (images, *_) = start(Algorithm())
    train = replace(TRAIN, weight_decay=0.1)
    learner, stream = Learner(net, train, 6), batches(split(), train, images)
    weights = softmax(alphas).detach()
    learner.step(next(stream), weights)
    batch = next(stream)
    parameters, momenta = learner.parameters(), learner.momenta()
    loss = learner.loss(batch, weights, parameters)
    gradients = torch.autograd.grad(loss, list(parameters.values()))
    expected, _ = learner.stepped(parameters, momenta, gradients, learner.rate())
    expected = {name: p.detach().clone() for name, p in expected.items()}
    learner.step(batch, weights)
    for name, parameter in learner.parameters().items():
        torch.testing.assert_close(parameter.detach(), expected[name])


@pytest.mark.parametrize("clip", [None, 0.1])
def test_a_learner_of_one_path_trains_as_the_loop_of_all_trainings_does(clip):
    """With clipping, too, which searches of DARTS' space have."""
    net, _, _ = start(Algorithm())
    cell, train = Cell(("nor_conv_3x3",) * 6), replace(TRAIN, gradient_clip=clip)
    alone_net = copy.deepcopy(net.net)
    stream = list(islice(batches(split(), train, torch.Generator().manual_seed(1)), 3))
    learner = Learner(net, train, 3)
    for batch in stream:
        learner.step(batch, alone(cell))
    generator = np.random.default_rng(0)
    train_one = replace(train, epochs=1)
    loop = updates(alone_net, iter(stream), Fixed(cell), train_one, generator, len(stream))
    assert len(list(loop)) == 3
    drawn = dict(alone_net.named_parameters())
    for name, parameter in net.net.named_parameters():
        torch.testing.assert_close(parameter, drawn[name], rtol=1e-3, atol=1e-4)


# ---- phases


def in_phases(*phases: Phase, **others) -> Algorithm:
    """DARTS that moves far in few epochs."""
    return Algorithm(learning_rate=0.1, phases=phases, **others)


def build(phase: Phase) -> RelaxedNetwork:
    """The same weights each time."""
    net = supernet(replace(NET, channels=4), share=phase.share)
    initialise(net, torch.Generator().manual_seed(0))
    return RelaxedNetwork(net, phase.share)


def run_in_phases(algorithm: Algorithm) -> list:
    """As many epochs as the phases have."""
    _, alphas, generators = start(algorithm)
    train = replace(TRAIN, epochs=sum(phase.epochs for phase in algorithm.phases))
    return list(search(build, alphas, split(), train, algorithm, *generators))


@pytest.mark.parametrize("gradient", ["validation", "training"])
def test_one_phase_of_all_operations_and_channels_is_the_plain_algorithm(gradient):
    plain = Algorithm(gradient=gradient, learning_rate=0.1)
    (expected, net), (found, other) = run(plain), run(replace(plain, phases=(Phase(2),)))
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.loss == theirs.loss and (ours.alphas == theirs.alphas).all()
    for ours, theirs in zip(net.parameters(), other.parameters(), strict=True):
        assert (ours == theirs).all()


def test_phases_that_change_nothing_are_no_seam():
    (expected, _), (found, _) = (
        run(Algorithm(learning_rate=0.1, phases=phases)) for phases in ((), (Phase(1), Phase(1)))
    )
    assert (found[-1].alphas == expected[-1].alphas).all() and found[-1].loss == expected[-1].loss


def test_the_strongest_are_kept_by_hand():
    scores = torch.tensor([[0.1, 0.4, -0.2, 0.3], [0.0, 0.0, 0.0, 1.0]])
    kept = strongest(scores, 2)
    assert kept.tolist() == [[False, True, False, True], [True, False, False, True]]
    again = strongest(scores.masked_fill(~kept, -torch.inf), 1)
    assert again.tolist() == [[False, True, False, False], [False, False, False, True]]


def test_a_phase_goes_on_with_the_strongest_operations_alone():
    algorithm = in_phases(Phase(1, share=2), Phase(1, operations=3), Phase(1, operations=2))
    first, second, third = run_in_phases(algorithm)
    wanted = strongest(torch.from_numpy(first.alphas), 3).numpy()
    assert (np.isfinite(second.alphas) == wanted).all() and (second.gradient[~wanted] == 0).all()
    assert (second.alphas[wanted] != first.alphas[wanted]).all()  # they go on, and move
    last = strongest(torch.from_numpy(second.alphas), 2).numpy()
    assert (np.isfinite(third.alphas) == last).all()
    assert [epoch.phase for epoch in (first, second, third)] == list(algorithm.phases)
    assert second.loss != first.loss and np.isfinite(third.loss)


@pytest.mark.parametrize("gradient", ["finite differences", "exact product", "unrolled"])
def test_what_looks_ahead_goes_on_without_the_operations_that_are_left_out(gradient):
    """Their weights have no gradient then."""
    ahead = {"gradient": gradient, "steps": 3 if gradient == "unrolled" else 1}
    first, second = run_in_phases(in_phases(Phase(1), Phase(1, operations=2), **ahead))
    kept = strongest(torch.from_numpy(first.alphas), 2).numpy()
    assert (np.isfinite(second.alphas) == kept).all() and np.isfinite(second.gradient).all()
    assert (second.gradient[~kept] == 0).all() and (second.gradient[kept] != 0).any()


def test_the_network_of_the_selected_cell_is_the_stand_alone_one_with_what_is_left():
    *_, last = run_in_phases(in_phases(Phase(1, share=2), Phase(1, operations=3)))
    cell = discretise(torch.from_numpy(last.alphas))
    own = extract(last.net.net, cell, replace(NET, channels=4))
    images = split().train_images.float() / 255
    torch.testing.assert_close(last.net(images, alone(cell)), own(images, cell))


def test_frozen_alphas_leave_operations_by_the_sum_of_gradients():
    algorithm = replace(
        in_phases(Phase(2), Phase(1, operations=2)), learning_rate=0.0, initial_noise=0.0
    )
    first, second, third = run_in_phases(algorithm)
    wanted = strongest(torch.from_numpy(-(first.gradient + second.gradient)), 2).numpy()
    assert (np.isfinite(third.alphas) == wanted).all() and (third.alphas[wanted] == 0).all()


def test_where_cells_change_all_begins_anew_but_for_what_is_left():
    """Another depth: alphas are noise again, and move no further than from there."""
    algorithm = in_phases(Phase(2, cells=1), Phase(1, operations=2, cells=2), initial_noise=1e-6)
    assert [len(part) for part in algorithm.stretches(3)] == [1, 1]
    _, second, third = run_in_phases(algorithm)
    kept = np.isfinite(third.alphas)
    assert (kept == strongest(torch.from_numpy(second.alphas), 2).numpy()).all()
    steps = split().train_labels.numel() // TRAIN.batch_size
    assert np.abs(third.alphas[kept]).max() < 0.11 * steps < 2 * np.abs(second.alphas).max()
    assert third.net is not second.net


def test_a_part_that_begins_anew_is_a_search_of_its_own():
    """On the images that follow, with the learning rate of its own epochs."""
    algorithm = in_phases(Phase(2, cells=1), Phase(1, cells=2))
    *_, expected = run_in_phases(algorithm)
    _, alphas, generators = start(algorithm)
    for _ in search(build, alphas, split(), TRAIN, in_phases(), *generators):
        pass
    alphas = initial_alphas(SHAPE, algorithm, generators[2])
    one = replace(TRAIN, epochs=1)
    (found,) = search(build, alphas, split(), one, in_phases(), *generators)
    assert found.loss == expected.loss and (found.alphas == expected.alphas).all()


def test_warm_ups_are_at_the_start_of_each_phase():
    epochs = run_in_phases(in_phases(Phase(2), Phase(2, operations=3), warmup_epochs=1))
    assert [epoch.steps for epoch in epochs] == [0, 3, 0, 3]


def test_a_network_that_gets_wider_goes_on_with_copies_of_its_rows():
    narrow, wide = (supernet(replace(NET, channels=4), share=share) for share in (4, 2))
    initialise(narrow, torch.Generator().manual_seed(0))
    learner = Learner(RelaxedNetwork(narrow, 4), TRAIN, 6)
    batch = next(batches(split(), TRAIN, torch.Generator().manual_seed(1)))
    learner.step(batch, torch.full(SHAPE, 0.2))
    wider = widened(learner, RelaxedNetwork(wide, 2), torch.Generator().manual_seed(2))
    assert wider.progress == learner.progress == 1 / 6 and wider.rate() == learner.rate()
    old, new = learner.parameters(), wider.parameters()
    before, after = learner.momenta(), wider.momenta()
    changed = [name for name in old if old[name].shape != new[name].shape]
    assert changed and all(".edges." in name for name in changed)
    for name in old:
        few = tuple(slice(n) for n in old[name].shape)
        for small, large in ((old[name], new[name]), (before[name], after[name])):
            assert (large[few] == small).all()
            assert set(large.flatten().tolist()) == set(small.flatten().tolist())
    assert any((after[name] != 0).any() for name in changed)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"phases": (Phase(1, operations=3),)}, "first phase has all operations"),
        (
            {"phases": (Phase(1), Phase(1, operations=3), Phase(1, operations=4))},
            "fewer operations than the one before, found 4 after 3",
        ),
        (
            {"phases": (Phase(1), Phase(1, operations=3)), "relaxation": "gumbel"},
            "relaxation='softmax' or 'dirichlet', not 'gumbel'",
        ),
        ({"phases": (Phase(1), Phase(1, share=2))}, "gets no narrower"),
        (
            {"phases": (Phase(1, skip_dropout=0.1),), "gradient": "finite differences"},
            "other skips are dropped each time",
        ),
        ({"phases": (Phase(1), Phase(1, operations=2)), "most_skips": 1}, "a choice of 3"),
        ({"most_skips": -1}, "a number from 0"),
    ],
)
def test_phases_that_cannot_follow_each_other_are_refused(wrong, why):
    with pytest.raises(ConfigError, match=why):
        Algorithm(**wrong)


def test_a_phase_is_refused_in_a_sentence():
    with pytest.raises(ConfigError, match="at least 2 operations, not 1"):
        Phase(1, operations=1)
    with pytest.raises(ConfigError, match="at least 1 epochs, not 0"):
        Phase(0)
    with pytest.raises(ConfigError, match="a share below 1, found 1"):
        Phase(1, skip_dropout=1.0)
    with pytest.raises(ConfigError, match="the phases have 3 epochs together, the search 2"):
        check_search(in_phases(Phase(1), Phase(2)), TRAIN)
    with pytest.raises(ConfigError, match="before a phase of 1 epochs does"):
        check_search(in_phases(Phase(1), Phase(1), warmup_epochs=1), TRAIN)


# ---- relaxations


def test_some_weights_of_a_dirichlet_are_those_of_these_operations_alone():
    """Mean and second moment by Monte Carlo against the closed forms of two concentrations."""
    alphas = torch.tensor([[0.5, -torch.inf, 1.0]], dtype=torch.float64)
    drawn = dirichlet(alphas.expand(100_000, 3), 0, torch.Generator().manual_seed(0))
    assert (drawn[:, 1] == 0).all()
    torch.testing.assert_close(drawn.sum(dim=1), torch.ones(100_000, dtype=torch.float64))
    first, total = 1.5, 1.5 + 2.0
    assert drawn[:, 0].mean().item() == pytest.approx(first / total, abs=3e-3)
    second = first * (first + 1) / (total * (total + 1))
    assert drawn[:, 0].pow(2).mean().item() == pytest.approx(second, abs=3e-3)
    mean = RELAXATIONS["dirichlet"].mean(alphas)
    torch.testing.assert_close(mean, torch.tensor([[1.5, 0.0, 2.0]]).double() / 3.5)


def test_drawing_from_a_dirichlet_leaves_all_global_generators_alone(monkeypatch):
    """PyTorch's `manual_seed` would also seed the GPUs."""

    def refuse(seed):
        raise AssertionError("a GPU's generator was seeded")

    monkeypatch.setattr(torch.cuda, "manual_seed_all", refuse)
    before = torch.get_rng_state()
    dirichlet(torch.zeros(2, 3), 0, torch.Generator().manual_seed(0))
    assert torch.equal(torch.get_rng_state(), before)


def test_dirichlet_weights_have_pathwise_gradients():
    """The gradient of the mean of w^2 by Monte Carlo against its closed form."""
    alphas = torch.tensor([[0.3, -0.2, 0.5]], dtype=torch.float64).requires_grad_()
    generator = torch.Generator().manual_seed(0)
    many = alphas.expand(100_000, 3)
    (found,) = torch.autograd.grad(dirichlet(many, 0, generator)[:, 0].pow(2).mean(), alphas)
    beta = F.elu(alphas) + 1
    total = beta.sum()
    second_moment = beta[0, 0] * (beta[0, 0] + 1) / (total * (total + 1))
    (expected,) = torch.autograd.grad(second_moment, alphas)
    torch.testing.assert_close(found, expected, rtol=0, atol=3e-3)


def test_dirichlet_draws_come_from_the_generator_alone():
    alphas = torch.zeros(6, 5)
    state = torch.get_rng_state()
    first, second = (dirichlet(alphas, 0, torch.Generator().manual_seed(s)) for s in (1, 2))
    again = dirichlet(alphas, 0, torch.Generator().manual_seed(1))
    assert (first == again).all() and (first != second).any()
    assert (state == torch.get_rng_state()).all()


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 100), progress=st.floats(0, 1))
def test_gumbel_weights_are_one_operation_an_edge(seed, progress):
    alphas = torch.zeros(SHAPE)
    weights = gumbel(alphas, progress, torch.Generator().manual_seed(seed))
    assert ((weights != 0).sum(dim=1) == 1).all()
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(6))


@pytest.mark.parametrize(("progress", "temperature"), [(0.0, 10.0), (0.5, 5.05), (1.0, 0.1)])
def test_gumbel_weights_pass_on_the_gradient_of_a_softmax_that_gets_colder(progress, temperature):
    """Of the softmax of the same noise, by hand."""
    alphas = torch.tensor([[0.3, -0.1, 0.5]], requires_grad=True)
    vector = torch.tensor([[1.0, -2.0, 0.5]])
    weights = gumbel(alphas, progress, torch.Generator().manual_seed(3))
    (found,) = torch.autograd.grad((weights * vector).sum(), alphas)
    drawn = torch.empty(1, 3).exponential_(generator=torch.Generator().manual_seed(3))
    soft = ((alphas.detach().log_softmax(1) - drawn.log()) / temperature).softmax(1)
    # The derivative of sum(v s): s (v - sum(v s)) / T; log_softmax adds nothing that does not sum.
    by_hand = soft * (vector - (vector * soft).sum()) / temperature
    torch.testing.assert_close(found, by_hand)
    assert weights.argmax() == (alphas.detach() - drawn.log()).argmax()


@pytest.mark.parametrize("draw", [gumbel, categorical])
def test_one_operation_is_drawn_as_often_as_the_softmax_says(draw):
    alphas = torch.tensor([[0.0, 1.0, 2.0]]).expand(20_000, 3)
    weights = draw(alphas, 1.0, torch.Generator().manual_seed(0))
    shares = (weights != 0).float().mean(dim=0)
    torch.testing.assert_close(shares, alphas[0].softmax(0), rtol=0, atol=0.015)


def test_reinforce_raises_what_is_rewarded():
    """A network that is right with its first operation alone: its alpha must rise."""

    class Rewarded(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(()))

        def forward(self, x, weights):
            right = F.one_hot(x[:, 0].long(), 4).float()
            return self.scale * (weights[0, 0] * right - (1 - weights[0, 0]) * right)

    generator = torch.Generator().manual_seed(0)
    batch = torch.tensor([[0.0], [1.0], [2.0]]), torch.tensor([0, 1, 2])
    alphas = torch.zeros(1, 2, requires_grad=True)
    learner = Learner(Rewarded(), TRAIN, 10)
    found = [
        GRADIENTS["reinforce"].function(
            learner, alphas, lambda a: categorical(a, 0, generator), [batch], [batch]
        )
        for _ in range(200)
    ]
    mean = torch.stack(found).mean(dim=0)
    # The gradient of the expected accuracy p is p (1 - p) = 1/4 by alpha.
    torch.testing.assert_close(mean, torch.tensor([[-0.25, 0.25]]), rtol=0, atol=0.03)


# ---- curvature


def test_the_spectrum_is_that_of_a_known_hessian():
    """The logits are the weights: worked out by hand."""

    class Logits(nn.Module):
        def forward(self, x, weights):
            return weights.expand(len(x), 2)

    alphas = torch.tensor([[0.0, 0.0]])
    batch = torch.zeros(4, 1), torch.tensor([0, 1, 0, 1])
    found = architecture_spectrum(Logits(), alphas, softmax, batch)
    # With w = softmax(a) and d = w0 - w1, the loss is log(2 cosh(d / 2)), about log 2 + d^2 / 8,
    # and d = tanh((a0 - a1) / 2), about (a0 - a1) / 2: so (a0 - a1)^2 / 32, of second derivatives
    # 1/16 (1, -1; -1, 1).
    np.testing.assert_allclose(found, [0, 2 / 16], atol=1e-6)


def test_the_spectrum_of_a_supernet_is_that_of_finite_differences():
    """In float64 over a distance so short that hardly a ReLU changes its side."""
    net, alphas, _ = start(Algorithm(initial_noise=0.5))
    net, alphas, part = net.double(), alphas.detach().double(), split(4)
    batch = part.train_images.double() / 255, part.train_labels

    def slope(given: Tensor) -> Tensor:
        given = given.requires_grad_()
        loss = F.cross_entropy(net(batch[0], softmax(given)), batch[1])
        return torch.autograd.grad(loss, given)[0].flatten()

    steps = 1e-7 * torch.eye(30, dtype=torch.float64).view(30, *SHAPE)
    rows = [(slope(alphas + step) - slope(alphas - step)) / 2e-7 for step in steps]
    expected = np.linalg.eigvalsh(torch.stack(rows).numpy())
    found = architecture_spectrum(net, alphas, softmax, batch)
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())
    assert (np.abs(found) < 1e-6 * np.abs(found).max()).sum() == 6  # one for each edge


def test_the_largest_eigenvalues_are_those_of_the_whole_spectrum():
    net, alphas, _ = start(Algorithm(initial_noise=0.5))
    part = split(4)
    batch = part.train_images.float() / 255, part.train_labels
    whole = architecture_spectrum(net, alphas, softmax, batch)
    largest = architecture_spectrum(net, alphas, softmax, batch, largest=3)
    np.testing.assert_allclose(largest, whole[-3:], rtol=2e-3)
    again = architecture_spectrum(net, alphas, softmax, batch, largest=3)
    np.testing.assert_array_equal(largest, again)


# ---- what is refused


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"relaxation": "softmx"}, "unknown relaxation 'softmx'.*softmax"),
        ({"gradient": "test"}, "unknown gradient 'test'"),
        ({"gradient": "finite differences", "steps": 2}, "takes steps=1, not 2"),
        ({"steps": 0}, "takes steps=at least 1, not 0"),
        ({"gradient": "unrolled", "relaxation": "dirichlet"}, "they are drawn"),
        ({"gradient": "reinforce"}, "go together"),
    ],
)
def test_an_impossible_algorithm_is_refused_in_a_sentence(wrong, why):
    with pytest.raises(ConfigError, match=why):
        Algorithm(**wrong)


def test_a_training_that_is_not_differentiated_is_refused():
    with pytest.raises(ConfigError, match="plain momentum"):
        check_search(Algorithm(gradient="exact product"), replace(TRAIN, nesterov=True))
    with pytest.raises(ConfigError, match="gradient_clip=None"):
        check_search(Algorithm(gradient="unrolled"), replace(TRAIN, gradient_clip=5.0))
    with pytest.raises(ConfigError, match="plain loss"):
        check_search(Algorithm(), replace(TRAIN, label_smoothing=0.1))
    with pytest.raises(ConfigError, match="no adaptation"):
        check_search(Algorithm(), replace(TRAIN, adaptation=Reptile()))
    with pytest.raises(ConfigError, match="take precision='float32'"):
        finite = Algorithm(gradient="finite differences")
        check_search(finite, replace(TRAIN, precision="bfloat16"))
    with pytest.raises(ConfigError, match="warm-up ends before"):
        check_search(Algorithm(warmup_epochs=2), TRAIN)


@pytest.mark.parametrize(
    ("algorithm", "passes"),
    [
        (Algorithm(), 2),
        (Algorithm(gradient="training", steps=25), 2),
        (Algorithm(gradient="training", steps=25, replay=False), 1 + 1 / 25),
        (Algorithm(steps=25, replay=False), 2),
        (Algorithm(steps=25), 3 - 1 / 25),
    ],
)
def test_passes_are_those_of_the_loop(algorithm, passes):
    assert algorithm.passes == pytest.approx(passes)
