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
# (sotl-darts)=
# # 5. SoTL-DARTS and its family
#
# **Question.** Does differentiable search select better cells when its gradient comes from the sum
# of training losses, and if so: because of the sum, because of the training data, or without any
# search at all?
#
# **What the paper did.** SoTL {cite:p}`sotl2021` searched NAS-Bench-201 {cite:p}`dong2020`,
# NAS-Bench-1Shot1 and DARTS' space, three seeds each, and looked the selected cells up. DARTS ends
# with skip connections on all edges of NAS-Bench-201; SoTL-DARTS, which sums the gradients of its
# alphas over 100 steps of training, does not.

# %% tags=["parameters"]
profile = "cpu"  # smoke, cpu or paper
workers = 0  # local processes that compute missing runs; 0 shows what is stored
device = "cpu"  # for computing: cpu, cuda, mps

# %%
from nasrepro import pages

page = pages.prepare("sotl-darts", profile, workers, device)

# %% [markdown]
# **In short.** {glue:md}`sotl-darts-searches-nb201` searches of NAS-Bench-201 are stored, of
# {glue:md}`sotl-darts-settings-begun` of {glue:md}`sotl-darts-settings` settings, and
# {glue:md}`sotl-darts-searches-darts` of DARTS' space. By CIFAR-10 test accuracy in percent, on
# NAS-Bench-201 first-order DARTS selects {glue:md}`sotl-darts-darts`, second-order DARTS {glue:md}`sotl-darts-second`, SoTL-DARTS
# {glue:md}`sotl-darts-sotl`. The controls that the paper lacks: first-order DARTS on training data,
# without a sum, {glue:md}`sotl-darts-on-training`; alphas that never move, the cell read from the
# summed gradients alone, {glue:md}`sotl-darts-frozen-training` on training data and
# {glue:md}`sotl-darts-frozen-validation` on validation data; the same sum on validation data
# (SoVL-DARTS) {glue:md}`sotl-darts-sovl`. The cell with the most parameters, which takes no search,
# has {glue:md}`sotl-darts-six-convolutions`; random search with 100 trainings of 12 epochs finds
# {glue:md}`sotl-darts-random-search`.

# %%
page.primer()

# %% [markdown]
# ## Claims
#
# Of {glue:md}`sotl-darts-claims` claims, {glue:md}`sotl-darts-supported` are supported here,
# {glue:md}`sotl-darts-contradicted` contradicted, {glue:md}`sotl-darts-undecided` undecided,
# {glue:md}`sotl-darts-not-testable-here` not testable here and {glue:md}`sotl-darts-not-run` not run.
# Quantity and region of each were written down before any run that judges it, but for
# {glue:md}`sotl-darts-claims-corrected` that were corrected, because they were not what the paper claims,
# and {glue:md}`sotl-darts-claims-added` that were added when one search of most settings had been seen.

# %%
page.claims()

# %% [markdown]
# ## How we ran it
#
# Profile {glue:md}`sotl-darts-profile` ({glue:md}`sotl-darts-machine`;
# {doc}`all records <../records>`), {glue:md}`sotl-darts-runs-stored` of
# {glue:md}`sotl-darts-runs-total` runs: {numref}`tab-darts-setting` has what all searches share,
# {numref}`tab-darts-algorithms` what a setting changes. SoTL-DARTS sums over
# {glue:md}`sotl-darts-steps` steps. DrNAS {cite:p}`chen2021` is searched twice: as one phase of all
# operations and channels, and in its authors' two phases, in which operations see one channel of
# four, then the three strongest of an edge one of two.

# %%
page.table("darts-setting")

# %%
page.table("darts-algorithms")

# %% [markdown]
# ## What is selected

# %%
page.figure("darts-accuracies")

# %%
page.figure("darts-cells")

# %%
page.table("darts-printed")

# %%
page.table("darts-alone")

# %%
page.table("darts-settings")

# %%
page.table("darts-searches")

# %% [markdown]
# ## The course of a search

# %%
page.figure("darts-courses")

# %%
page.figure("darts-skips")

# %% [markdown]
# ## At equal movement
#
# A sum of gradients is one update of the alphas, and Adam lets an alpha move by about its rate an
# update, whatever the size of the gradient. At the end the largest alpha is
# {glue:md}`sotl-darts-alpha-darts` in first-order DARTS and {glue:md}`sotl-darts-alpha-sotl` in
# SoTL-DARTS. With a rate smaller by as much as SoTL-DARTS has fewer updates it is
# {glue:md}`sotl-darts-alpha-slow`, and DARTS selects cells of {glue:md}`sotl-darts-slow`.

# %%
page.figure("darts-movement")

# %%
page.table("darts-equal-movement")

# %%
page.table("darts-effects")

# %% [markdown]
# ## Eigenvalues

# %%
page.figure("darts-eigenvalues")

# %% [markdown]
# ## Cost

# %%
page.table("darts-cost")

# %% [markdown]
# ## NAS-Bench-1Shot1
#
# Alphas choose operations, inputs and what is joined to the output in three spaces that are parts of
# NAS-Bench-101 {cite:p}`nasbench1shot1`; each vertex keeps as many of its strongest inputs as its space
# says. {glue:md}`sotl-darts-searches-1shot1` searches are stored. The cells that they end with have an
# accuracy here only where the sample of NAS-Bench-101 has them.

# %%
page.table("darts-oneshot-setting")

# %%
page.table("darts-oneshot-printed")

# %%
page.table("darts-oneshot-searches")

# %%
page.figure("darts-oneshot-accuracy")

# %%
page.figure("darts-oneshot-depth")

# %%
page.figure("darts-oneshot-operations")

# %%
page.figure("darts-oneshot-eigenvalues")

# %% [markdown]
# ## DARTS' space
#
# Eight operations, a normal and a reduction cell of four nodes with two inputs each
# {cite:p}`liu2019`; S2 is the part with skips and 3x3 separable convolutions alone
# {cite:p}`zela2020`. Depth and width of a cell are those of {cite:t}`shu2020`. No benchmark holds the
# cells that are found, so they are trained alone, beside random ones:
# {glue:md}`sotl-darts-networks-alone` such networks are stored. The paper looks its cells up in
# NAS-Bench-301 {cite:p}`siems2020`, a surrogate, whose predictions are here for other cells. These,
# which are no measured accuracies, and the random cells' own accuracies judge how well a supernet
# of paths ranks; {glue:md}`sotl-darts-supernets-ranked` such supernets are stored, and
# {glue:md}`sotl-darts-supernets-tuned` runs that train the paths of one on, for the estimators of
# [study 4](04_sotl_vs_validation). The predicted cells were not drawn around
# those that were searched; how many operations they have in common with one of these ranks them.
#
# PDARTS {cite:p}`chen2019` searches in three phases: the network gets deeper, an edge keeps fewer
# operations, skips are dropped out, and the normal cell may keep two of them
# ({numref}`tab-darts-space-algorithms`).

# %%
page.table("darts-space-setting")

# %%
page.table("darts-space-algorithms")

# %%
page.table("darts-space-searches")

# %%
page.table("darts-space-settings")

# %%
page.figure("darts-space-cells")

# %%
page.figure("darts-s2-skips")

# %%
page.figure("darts-space-depth")

# %%
page.table("darts-retrained")

# %%
page.table("darts-surrogate")

# %% [markdown]
# ## What this design can decide
#
# Of {glue:md}`sotl-darts-decided-with-p` claims with a p-value that are supported or contradicted,
# Holm's method leaves {glue:md}`sotl-darts-decided-by-holm`.

# %%
page.table("darts-decides")
