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
# (training-tricks)=
# # 2. Training tricks, one at a time
#
# **Question.** Which ways of training a supernet make its ranking better, and which that are often
# used do not?
#
# **What the papers did.** Laube {cite:p}`laube2020`, Yu {cite:p}`yu2020` and Zhang
# {cite:p}`zhang2020` changed one thing at a time in the training of supernets of NAS-Bench-201
# {cite:p}`dong2020` and other spaces, five seeds each, three or one, and compared how they rank. They do not
# agree: FairNAS is Yu's advice, a strictly fair sampler is at least as good for Laube, and Zhang
# finds no evidence that any trick helps.

# %% tags=["parameters"]
profile = "cpu"  # smoke, cpu, paper (Laube's settings), paper-yu or paper-zhang
workers = 0  # local processes that compute missing runs; 0 shows what is stored
device = "cpu"  # for computing: cpu, cuda, mps

# %%
from nasrepro import pages

page = pages.prepare("training-tricks", profile, workers, device)

# %% [markdown]
# **In short.** This study is being computed: {glue:md}`training-tricks-runs-stored` of
# {glue:md}`training-tricks-runs-total` supernets are stored, of
# {glue:md}`training-tricks-settings-begun` of {glue:md}`training-tricks-settings` settings, and no
# factor is judged before its setting and its baseline have two seeds. The two baselines rank at
# {glue:md}`training-tricks-spearman-fair` with strictly fair sampling and at
# {glue:md}`training-tricks-spearman-uniform` with uniform sampling by Spearman's correlation; by
# cross-entropy instead of accuracy at {glue:md}`training-tricks-spearman-fair-loss` and
# {glue:md}`training-tricks-spearman-uniform-loss`; counting parameters at
# {glue:md}`training-tricks-spearman-parameters`. In published supernets, trained on GPUs, the clearest
# effect is that of balanced sampling: in the {glue:md}`training-tricks-published-gains-settings`
# settings of single and split supernets that have both, the best three of 200 cells are better by
# {glue:md}`training-tricks-published-gains` points on average ({numref}`tab-tricks-splits`, with
# intervals, which not all leave out 0); what they say of
# channels, batch and epochs is in {numref}`tab-tricks-published`.

# %%
page.primer()

# %% [markdown]
# ## Claims
#
# Of {glue:md}`training-tricks-claims` claims, {glue:md}`training-tricks-supported` are supported here,
# {glue:md}`training-tricks-contradicted` contradicted, {glue:md}`training-tricks-undecided`
# undecided, {glue:md}`training-tricks-not-testable-here` not testable here and
# {glue:md}`training-tricks-not-run` not run. Quantity and region of each were written down before
# any run of this study, but for {glue:md}`training-tricks-claims-corrected` that were corrected when one
# seed of most settings had been seen, because they were not what the paper claims, and
# {glue:md}`training-tricks-claims-added` that were missing and added later; each says so where it is unfolded.

# %%
page.claims()

# %% [markdown]
# ## How we ran it
#
# Profile {glue:md}`training-tricks-profile`: {glue:md}`training-tricks-settings` settings, each
# against its baseline, as two independent groups of supernets ({glue:md}`training-tricks-machine`;
# {doc}`all records <../records>`). Laube's baseline samples strictly fairly, Yu's and Zhang's
# uniformly; in everything else they are the same in the reduced
# profiles ({numref}`tab-tricks-setting`). All supernets of
# NAS-Bench-201 rank the same random connected cells, and Laube's true top N; those of a pruned space
# random ones of its cells. A supernet of a random part of the space, another part for each seed, is
# compared with the baseline's ranking of the same cells, all of the part that both evaluate. Channels
# are dynamic on NAS-Bench-101 alone. Intervals of a difference are Welch's, in which each setting has
# its own variance; of two supernets of a setting, before its third, they are somewhat too narrow where
# it scatters more than its baseline does. What the papers rank by, the accuracy on held-out images, is what
# claims are judged by; the mean cross-entropy on the same images stands beside it.

# %%
page.table("tricks-setting")

# %% [markdown]
# ## The noise first

# %%
page.table("tricks-noise")

# %% [markdown]
# ## Every factor

# %%
page.figure("tricks-factors")

# %%
page.table("tricks-factors")

# %%
page.table("tricks-settings")

# %%
page.table("tricks-equivalent")

# %%
page.table("tricks-judges")

# %% [markdown]
# ## Published supernets
#
# Others trained supernets of the whole space on GPUs and published what they predict for all of its
# cells. No training of ours is in {numref}`tab-tricks-published`.

# %%
page.table("tricks-published")

# %% [markdown]
# Narrow supernets rank worse in Yu's tables and not in these, {numref}`tab-tricks-narrow`. The question
# is the same in both: only the supernet is narrower, and the networks that it ranks are as wide as
# ever. Length of training, batch, split of the images and ranked cells differ; which of them decides
# cannot be told from here. Yu's row of half of the channels has all four numbers of another row, 400
# epochs, so that one of the two may be a slip.

# %%
page.table("tricks-narrow")

# %% [markdown]
# Their authors also split supernets, {numref}`tab-tricks-splits`. What Yu's figure 9 asks of its
# settings is asked of all of these in {numref}`tab-tricks-published-judges`: over settings, the final
# accuracy goes with the proxy accuracy at {glue:md}`training-tricks-published-judge-accuracy`, with
# s-KdT at {glue:md}`training-tricks-published-judge-s-kdt`.

# %%
page.table("tricks-splits")

# %%
page.table("tricks-published-judges")

# %% [markdown]
# All of these are looked at once, after their last step. How much that step matters is in
# {numref}`tab-tricks-states`, from another supernet {cite:p}`zhang2020deeper`.

# %%
page.table("tricks-states")

# %% [markdown]
# ## A recipe
#
# `nasrepro rank --minutes 10` trains a supernet as {numref}`tab-tricks-recipes` says, or 1 or 3
# minutes, and prints the cells that it ranks best. A time that this table lacks has a recipe that is
# a first guess. What is chosen is chosen from {numref}`tab-tricks-protocols`, on other cells than those
# that both tables report. What one can rank by without any training is in
# {numref}`tab-tricks-zero-cost`.

# %%
page.table("tricks-recipes")

# %%
page.table("tricks-protocols")

# %%
page.table("tricks-zero-cost")

# %% [markdown]
# ## What this design can decide
#
# Of {glue:md}`training-tricks-decided-with-p` claims with a p-value that are supported or contradicted,
# Holm's method over the claims of the same file leaves {glue:md}`training-tricks-decided-by-holm`.

# %%
page.table("tricks-decides")
