# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# (correlations)=
# # 1. Rank correlations, subspace by subspace
#
# **Question.** A supernet is trained once and then ranks architectures it never trained on their
# own. In which parts of a search space can its ranking be trusted?
#
# **What the papers did.** Laube {cite:p}`laube2020` (its title page is anonymous, for review; we name
# it after its first author) trained single-path supernets on subspaces of
# NAS-Bench-201 {cite:p}`dong2020`, made by masking one or two of its five operations, and
# compared their predictions with the benchmark's accuracies. They looked at Kendall's tau within
# the true top N and at whether the mean prediction falls as N grows (their tau_a, best at -1; not
# Kendall's tau-a).
# Pourchot {cite:p}`pourchot2022` did so on seven subspaces of NAS-Bench-101 {cite:p}`ying2019`, five
# supernets each, and compared ways of training and of evaluating them by Spearman's correlation.

# %% tags=["parameters"]
profile = "cpu"  # smoke, cpu, paper, own or digits
workers = 0  # local processes that compute missing runs; 0 shows what is stored
device = "cpu"  # for computing: cpu, cuda, mps

# %%
from nasrepro import pages

page = pages.prepare("correlations", profile, workers, device)

# %% [markdown]
# **In short.** With {glue:md}`correlations-full` of NAS-Bench-201 our small supernets rank
# architectures at a Spearman correlation of {glue:md}`correlations-spearman-full` with the truth (mean
# and 95% interval over {glue:md}`correlations-spearman-full-n` seeds); counting parameters gives
# {glue:md}`correlations-spearman-parameters` without any training. They beat that count in
# {glue:md}`correlations-floor-above` of {glue:md}`correlations-small-settings` subspaces and lose to it
# in {glue:md}`correlations-floor-below`, each by the whole interval ({numref}`fig-floor`). On
# NAS-Bench-101 the best of the authors' six methods has a higher mean correlation than the count in
# {glue:md}`correlations-authors-floor` spaces ({numref}`tab-authors`; without intervals). Our
# supernets are small and briefly trained, and their setting was chosen in the full space: supernets
# that others trained on GPUs reach {glue:md}`correlations-published-spearman` there
# ({numref}`tab-published`).

# %%
page.primer()

# %% [markdown]
# ## Claims
#
# Of {glue:md}`correlations-claims` claims, {glue:md}`correlations-supported` are supported here,
# {glue:md}`correlations-contradicted` contradicted, {glue:md}`correlations-undecided` undecided at this
# scale, {glue:md}`correlations-not-testable-here` not testable here and
# {glue:md}`correlations-not-run` not run yet.

# %%
page.claims()

# %% [markdown]
# ## How we ran it
#
# On NAS-Bench-201 (for NAS-Bench-101 see [below](#seven-subspaces)), profile
# {glue:md}`correlations-profile`: {glue:md}`correlations-runs-stored` of
# {glue:md}`correlations-runs-total` runs stored, {glue:md}`correlations-diverged` of them diverged.
# {glue:md}`correlations-machine`
# ({doc}`all records <../records>`).
#
# In every figure and table of this part, *true* and *stand-alone* mean one accuracy:
# {glue:md}`correlations-truth`. *Proxy accuracy* and *prediction* are the supernet's, on the same
# {glue:md}`correlations-validation-images` held-out training images in every run. The *random
# sample* of a subspace is the same in every run, and all of a subspace that is no larger. Supernets
# are small (S) or medium (M), as the paper calls them. n counts supernets, each of a seed of its own.

# %%
page.table("setting")

# %% [markdown]
# The setting was chosen by the Spearman correlation in the full space with this same truth:
# {numref}`tab-tried` has every setting that was run and stored; a few shorter tries before them, on
# other images and cells, are not. That choice favours the full space; nothing was chosen by any
# other metric or claim.

# %%
page.table("tried")

# %% [markdown]
# ## Which operations the best cells use
#
# No training is needed here: {numref}`fig-usage` and {numref}`fig-share` count in the benchmark's
# table, as Laube's figure 3 does. (He divides the share by the number of operations, we by the
# number of edges, so that the shares of a group add up to one.) One verdict depends on it: on average
# 3x3 Conv has {glue:md}`correlations-conv3-edges` of the edges of the 500 best cells, roughly half as the
# text says; by the caption's definition its share is {glue:md}`correlations-conv3-caption`, and the
# claim would be {glue:md}`correlations-conv3-caption-verdict`.

# %%
page.figure("usage")

# %%
page.figure("share")

# %% [markdown]
# ## Predictions against the truth

# %%
page.figure("scatter")

# %% [markdown]
# ## Within the true top N
#
# {numref}`fig-topn` has the columns of Laube's figure 4, {numref}`fig-topn-more` those that figure 7
# adds: together, all ten pairs of masks.
# Left is Kendall's tau-a within the true top N of each subspace and over its random sample, right the
# mean proxy accuracy, of the random sample that of its connected cells: the others are at chance
# whatever is learned. Bands are 95% intervals over seeds; lines without a band have one seed. How well
# anything could rank within a top N is not known; two trainings of the cells above 90% agree by
# {glue:md}`correlations-ceiling-high` (Spearman).

# %%
page.figure("topn")

# %%
page.figure("topn-more")

# %%
page.figure("topn-medium")

# %% [markdown]
# ## Other metrics
#
# Definitions of all of them are on {doc}`the page of definitions <../definitions>`;
# the sparse tau rounds the truth to 0.1 percent. Where Zero is allowed, some of the random cells are
# disconnected: they are at chance by proxy and on their own. A supernet need not learn anything to
# rank them last, and Pearson's correlation is mostly theirs, so {numref}`tab-metrics` also has the
# connected cells alone. Laube's tau_a is of the mean over seeds; beside it, {numref}`tab-metrics-top`
# has the mean of each run's own. Claims are judged by his. An interval that would reach beyond ±1
# ends there. The truth has noise of its own, so that no ranking reaches 1: Spearman's noise ceilings
# of the subspaces are {glue:md}`correlations-ceiling-masks` ({numref}`tab-ceilings`).

# %%
page.figure("metrics")

# %%
page.table("metrics")

# %%
page.table("metrics-top")

# %% [markdown]
# ## Does a supernet beat counting parameters?
#
# The number of weights of a cell's own network is a ranking that costs nothing. The whole interval of
# small supernets lies above it in {glue:md}`correlations-floor-above` subspaces, below it in
# {glue:md}`correlations-floor-below`, and on both sides in {glue:md}`correlations-floor-open`. Two
# supernets that differ in their seed alone agree only so far: their agreement
# ({glue:md}`correlations-spearman-seeds` with {glue:md}`correlations-full`) shows how much of a
# ranking is the seed's. The noise ceilings, {glue:md}`correlations-ceiling-masks`, are far above both.

# %%
page.figure("floor")

# %% [markdown]
# ## Against networks of the supernets' own size
#
# The published accuracies are of networks far larger than these supernets, trained for longer and on
# whole images. {doc}`Our own benchmark <../selfmade>` trains cells on their own in the supernets'
# skeleton, on smaller images and for {glue:md}`correlations-own-epochs` epochs. {numref}`tab-own`
# ranks the same cells by both.

# %%
page.table("own")

# %% [markdown]
# ## Is this only because our supernets are small?
#
# The {glue:md}`correlations-published-supernets` single supernets that the authors of a few-shot
# method {cite:p}`oh2025` published, trained for 250 to 1,000 epochs on a GPU, reach mean Spearman
# correlations of {glue:md}`correlations-published-spearman` in the full space, by setting, where our
# small ones reach {glue:md}`correlations-published-ours` and counting parameters gives
# {glue:md}`correlations-published-floor` ({numref}`tab-published`; {numref}`tab-published-masks` has
# every subspace). Within the true top 10% their tau-b is {glue:md}`correlations-published-top`, that
# of the parameter count {glue:md}`correlations-published-floor-top`. Two trainings of the same cells
# agree by {glue:md}`correlations-ceiling-all` over all cells, but by
# {glue:md}`correlations-ceiling-high` over the {glue:md}`correlations-ceiling-high-n` above 90%
# ({numref}`tab-ceilings`).

# %%
page.table("published")

# %%
page.table("published-masks")

# %%
page.table("ceilings")

# %% [markdown]
# (half-precision)=
# ## Half precision
#
# Supernets are trained in bfloat16, and evaluated in it: rounding moves the prediction of some
# images. {numref}`tab-half-precision` has some that were evaluated in float32, too, on the same images;
# first on as many as everywhere in this study, then on more, where one image counts for less.

# %%
page.table("half-precision")

# %% [markdown]
# (seven-subspaces)=
# ## NAS-Bench-101: seven subspaces
#
# A_1 to A_4 hold the cells with so many vertices joined to the output, A_FULL all cells, RES and NRES
# those with and without a residual connection from input to output. The truth is the
# {glue:md}`correlations-nb101-truth` ({glue:md}`correlations-nb101-detail`).
#
# A supernet's path is normalised with the statistics that training has left (NO FT), or with those of
# one batch of training images, taken anew for each cell (BNS-FT, short for fine-tuned batch
# statistics). The other methods are evaluated as BNS-FT and differ in training: AVG-3 updates with the
# mean gradient of three cells, PRO-RATA draws a cell as often as it has parameters, SINGLE-K cuts
# the 1x1 kernel of a vertex from its 3x3 kernel, S-K + P-R does both.
#
# ### The authors' own supernets
#
# The five published supernets of each subspace and method give {glue:md}`correlations-printed-means`
# of the {glue:md}`correlations-printed` means of the paper's table 3 to its two decimals, the
# asterisks in the same places ({numref}`tab-authors`). The printed ± is 1.96 standard deviations
# (divisor n) by the root of n: {glue:md}`correlations-printed-intervals` of
# {glue:md}`correlations-printed` come out. That is narrower than Student's interval,
# which we give for ours. In {glue:md}`correlations-authors-floor` spaces the best of the six methods
# ranks better than counting the cells' parameters does.

# %%
page.table("authors")

# %% [markdown]
# ### Ours
#
# {glue:md}`correlations-nb101-stored` of {glue:md}`correlations-nb101-total` runs stored,
# {glue:md}`correlations-nb101-diverged` of them diverged. {glue:md}`correlations-nb101-machine`.
#
# The setting was chosen by a few short tries on A_FULL and A_1, which are not stored: batch size and
# clipping with a look at rank correlations, the rest by training accuracy alone.
#
# Noise ceilings of the seven spaces are {glue:md}`correlations-ceiling-101`, for a predictor without
# noise against the mean of three validation accuracies.

# %%
page.table("ours")

# %% [markdown]
# Our AVG-3 sees three times as many images as the other methods, so what it gains over BNS-FT can be
# due to either. With equal images, one supernet a space was trained: its Spearman correlation less that
# of BNS-FT of the same seed is {glue:md}`correlations-equal-images` (mean and 95% interval over
# {glue:md}`correlations-equal-images-n` spaces; {numref}`tab-equal-images`).

# %%
page.table("equal-images")

# %%
page.table("setting-101")

# %%
page.table("optimisers")

# %%
page.figure("methods")

# %% [markdown]
# ### What supernets over-rate
#
# {numref}`fig-bias` shows the two patterns that the paper points out, {numref}`fig-spaces` how cells
# that are ever better on their own are rated in all subspaces: each supernet's cells are cut by
# stand-alone accuracy into parts of equal size, and of each part there is the mean percentile by
# proxy accuracy among all of its cells.

# %%
page.figure("bias")

# %%
page.figure("spaces")

# %% [markdown]
# ## What the verdicts rest on
#
# Where the paper argues with Laube's tau_a, so does the quantity; by the other metrics of
# {numref}`tab-metrics` the same mask can look different. Each claim is judged at 95% on its own, so of
# so many verdicts one or the other may be chance ({doc}`what the rule errs <../definitions>`). Of
# {glue:md}`correlations-decided-with-p` that are supported or contradicted by an interval,
# Holm's method over the claims of the same file leaves {glue:md}`correlations-decided-by-holm`. For
# Laube's tau_a the error is not known so well: it counts pairs, and a bootstrap over so few seeds is
# rough for what jumps. {numref}`tab-decides` and {numref}`tab-decides-101` say which claims this design
# could decide at all. After results had been seen,
# {glue:md}`correlations-claims-added` claims were added and {glue:md}`correlations-claims-corrected`
# corrected, because their quantity was not what the paper claims. Each says so where it is unfolded;
# `nasrepro/published/laube.toml` and `pourchot_ranking.toml` say what was before, and why.
#
# The setting of the supernets on NAS-Bench-201 was chosen by the full space ({numref}`tab-tried`). That is
# no fair ground for what masks do, least of all for whether masking Zero improves the rank
# correlation: of the {glue:md}`correlations-zero-tried` rejected settings that were run with and without
# Zero, without it the correlation is higher, as in the paper, in
# {glue:md}`correlations-zero-tried-higher` (most by one supernet each).
#
# Three claims about the benchmark's table hang on a choice. Without Zero and Pool
# {glue:md}`correlations-kept-10` of the 10 best cells and {glue:md}`correlations-kept-50` of the 50 best
# remain, but {glue:md}`correlations-kept-500` of the 500 by which it is judged. The best cell and the
# tenth are {glue:md}`correlations-gap` points apart where the paper says 0.013%: it averages other
# trainings, and it may be a matter of units.

# %%
page.table("decides")

# %%
page.table("decides-101")

# %% [markdown]
# ## What differs, and why
#
# :::{dropdown} Scale, sampling, size, sums, truth, normalisation, disconnected cells, NAS-Bench-101, optimiser
# :class-container: fold
#
# - **Scale.** The paper trains for 250 epochs on 45,000 images at full size with 32 channels; the
#   table above says what we did. A supernet this small and this briefly trained ranks worse than
#   a large one might; claims about it are about this scale.
# - **Sampling.** Strictly fair, as the paper's baseline; each path of an update takes a batch of
#   its own, and their gradients are summed.
# - **Size M.** The paper doubles both cells and channels. Doubling the channels costs about four
#   times as much again, so in the `cpu` profile M has twice the cells of S and the same channels.
#   The wide networks of figure 11 are part of the `paper` profile only.
# - **Sums.** In the paper a node averages its inputs (3.2); here it adds them up, as in the
#   benchmark's own code.
# - **Truth.** The paper averages test results over all seeds and the last three epochs, of networks
#   trained on half of the training images (CIFAR-10-Valid, 3.2); ours is the test accuracy after the
#   last epoch of networks trained on all of them.
# - **Batch normalisation.** The paper does not say which statistics it evaluates with; ours are
#   those of the validation batch.
# - **Convolutions of nothing.** An edge that leaves a node which nothing reaches is left out, as in
#   the benchmark's own notion of equal cells; its network would add a constant there.
# - **Disconnected cells** are never sampled in training here (the paper does not say), but they
#   are part of the random sample.
# - **NAS-Bench-101** is at the same reduced scale, with one cell a stage (the paper has three), and
#   with SGD and clipped gradients instead of RMSprop. AVG-3 makes as many updates as the other
#   methods, each with a batch for each of its three cells. So it sees three times as many images, which
#   the paper does not say of its own: what it gains here can be due to either
#   ({numref}`tab-equal-images`). NO FT and BNS-FT of a
#   seed are one supernet evaluated in two ways, so they are compared supernet by supernet.
# - **RMSprop.** The paper names the benchmark's settings (4.2), as the `paper` profile has them. The
#   authors' published code has an RMSprop of its own: it leaves epsilon in the running mean square at
#   every step, so that steps are about ten times shorter at the same rate, has a decay of 0.99, and
#   decays all weights. The setting `nasrepro.train.POURCHOT` is that one. All other supernets here are
#   trained with SGD; {numref}`tab-optimisers` has one of each.
# :::
#
# ## Run it yourself
#
# ```bash
# .venv/bin/nasrepro study plan correlations --profile cpu             # how long it will take
# .venv/bin/nasrepro study run correlations --profile cpu --workers 2  # what is missing
# .venv/bin/nasrepro book run 01_correlations -p profile=cpu           # this page
# .venv/bin/nasrepro study run correlations --profile paper --device cuda
# ```
#
# Or with papermill's own parameters: `.venv/bin/nasrepro book run 01_correlations -p profile=smoke -p
# workers=2` computes the smallest version in a minute or two and shows it.
