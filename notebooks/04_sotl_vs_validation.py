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
# (sotl-vs-validation)=
# # 4. Training losses against validation
#
# **Question.** Does the sum of a network's training losses tell better how good it will be than
# looking at validation images, from scratch and from a supernet?
#
# **What the thesis did.** It {cite:p}`sotl2021` ranked cells by the sum over training losses (SoTL,
# {cite:p}`lyle2020,ru2021`), first on recorded learning curves of NAS-Bench-201 {cite:p}`dong2020`, then
# by training each path of a supernet on for 100 minibatches; and it tuned learning rates, as before it
# {cite:p}`baydin2018`, and the degree of a linear model by gradients of the same sum.

# %% tags=["parameters"]
profile = "cpu"  # smoke, cpu or paper
workers = 0  # local processes that compute missing runs; 0 shows what is stored
device = "cpu"  # for computing: cpu, cuda, mps

# %%
from nasrepro import pages

page = pages.prepare("sotl", profile, workers, device)

# %% [markdown]
# **In short.** On our benchmark's short trainings the loss of the last epoch ranks better than
# validation accuracy, by {glue:md}`sotl-early` in Spearman's correlation in the first half and by
# {glue:md}`sotl-end` at the end. It does not on other real curves: on recurrent language models the
# validation loss ranks at {glue:md}`sotl-ptb-validation` after ten epochs where SoTL ranks at
# {glue:md}`sotl-ptb-sotl`; on NAAP-440, after a tenth of the training, the difference is
# {glue:md}`sotl-early-naap`, but to accuracies on the test images that are the truth, for it has no
# validation accuracy ({numref}`fig-sotl-scratch`). Where the theory is exact, SoTL and the evidence choose
# the same model in {glue:md}`sotl-bound-agrees` data sets ({numref}`tab-sotl-evidence`). SoTL finds the
# degree of a linear model in {glue:md}`sotl-maxdeg-reached-two` steps and the validation loss in
# {glue:md}`sotl-maxdeg-reached-validation`, because its gradient is a sum: with twice the rate the latter
# takes {glue:md}`sotl-maxdeg-reached-twice`. An unrolling over 25 steps instead of 2 takes
# {glue:md}`sotl-maxdeg-reached-long` ({numref}`tab-sotl-maxdeg`). From a
# supernet of SPOS, SoTL over 100 minibatches ranks its paths at {glue:md}`sotl-learned`, and at
# {glue:md}`sotl-frozen` where they do not learn at all ([below](sotl-learning)). {glue:md}`sotl-supernets-stored` fine-tunings
# of supernets' paths are stored, {glue:md}`sotl-runs-stored` of {glue:md}`sotl-runs-total` runs in all.

# %%
page.primer()

# %% [markdown]
# ## Claims
#
# Of {glue:md}`sotl-claims` claims of the thesis' sections 3.1, 4.1 and 4.2,
# {glue:md}`sotl-supported` are supported here, {glue:md}`sotl-contradicted` contradicted,
# {glue:md}`sotl-undecided` undecided, {glue:md}`sotl-not-testable-here` not testable here and
# {glue:md}`sotl-not-run` not run. Quantity and region of each were written down before any run that judges
# it, but for {glue:md}`sotl-claims-corrected` that were corrected later, because they were not what the
# thesis claims or the data could not show it, and {glue:md}`sotl-claims-added` that were missing and added
# when one or two supernets of most settings were stored; each says so where it is unfolded. What was known before, and
# what in the text is wrong or differs from the authors' code, is written above them in
# `nasrepro/published/sotl.toml`.

# %%
page.claims()

# %% [markdown]
# ## From scratch, on real curves
#
# Of these curves we trained only those of our own benchmark ({doc}`/book/selfmade`); each network ranks by its
# own curve, and the truth is its accuracy, or test loss, at the end. NAAP-440 {cite:p}`naap440` has small
# convolutional networks. The recurrent cells {cite:p}`nasbenchnlp` are of the kind that Zhang's language
# space has {cite:p}`zhang2020`, not of the same space. There the parameter count, which ranks cells of
# NAS-Bench-201 almost as well as anything, says next to nothing: {glue:md}`sotl-ptb-parameters`.

# %%
page.figure("sotl-scratch")

# %%
page.table("sotl-scratch")

# %% [markdown]
# The official losses of every epoch are in no package, only in the benchmark's own file, from which
# {numref}`tab-sotl-official` is made where a user has it. What the estimator's first authors show of them
# is in {numref}`tab-sotl-printed`: over 5,000 cells, the loss of the last epoch is early, and the sum of all
# losses is late. 200 official cells that others published have their validation accuracy at
# {glue:md}`sotl-validation-120` after 120 of 200 epochs.

# %%
page.table("sotl-printed")

# %%
page.table("sotl-official")

# %%
page.table("sotl-audit")

# %% [markdown]
# ### Sums of gradients
#
# SoG adds up a network's gradients over its training, SoGN their norms; that SoG ranks better is the
# thesis' sign that good cells have smooth losses. In each run the same 200 cells are trained alone over
# 20 epochs, with the benchmark's own optimiser, on fewer and smaller images
# ({glue:md}`sotl-scratch-stored` such runs are stored; {glue:md}`sotl-learnt`).
# {numref}`fig-sotl-gradients` has both by the text's definitions and by the
# code's, beside SoTL and the parameter count; {numref}`tab-sotl-gradients` what is left given that count.

# %%
page.figure("sotl-gradients")

# %%
page.table("sotl-gradients")

# %% [markdown]
# ## Where the theory is exact
#
# For Bayesian linear regression minus SoTL is a lower bound of the log evidence (equation 3.5). It is
# never above it, as it must be, and its distance grows with the number of features:
# {glue:md}`sotl-gap-true` nats for the true degree, {glue:md}`sotl-gap-highest` for the highest. So SoTL
# prefers small models more than the evidence does. Ten samples of each posterior choose as the evidence
# does in {glue:md}`sotl-samples-agree` data sets.

# %%
page.table("sotl-evidence")

# %% [markdown]
# Trained by gradient, models of the true degree and of higher ones hardly differ (figure 4.2 of the
# thesis), since the targets have no noise.

# %%
page.figure("sotl-degrees")

# %% [markdown]
# With the degree as an architecture parameter, MaxDeg comes within 1 of the truth after
# {glue:md}`sotl-maxdeg-reached-long` steps with T = 25, {glue:md}`sotl-maxdeg-reached-two` with T = 2 and
# {glue:md}`sotl-maxdeg-reached-validation` with the validation loss after one step; its mean distance from
# the truth is {glue:md}`sotl-maxdeg-long`, {glue:md}`sotl-maxdeg-two` and
# {glue:md}`sotl-maxdeg-validation`. These gaps have another reason than how well SoTL tells: an update's
# gradient is a sum of T losses, and its decay is not. With twice the rate the validation loss takes
# {glue:md}`sotl-maxdeg-reached-twice` steps and comes to a distance of {glue:md}`sotl-maxdeg-twice`; with
# as much decay a step as T = 25 has, T = 2 comes to {glue:md}`sotl-maxdeg-decay`.

# %%
page.figure("sotl-starts")

# %%
page.figure("sotl-maxdeg")

# %%
page.table("sotl-maxdeg")

# %% [markdown]
# ### Learning rates
#
# Plain SGD whose rate follows exact gradients of SoTL over T steps, by forward-mode differentiation:
# memory does not grow with T. Rates, clipping and halving are the text's; images, pixels and epochs are
# fewer ({glue:md}`sotl-tuning-stored` trainings are stored; {glue:md}`sotl-machine`). The MLP comes to
# {glue:md}`sotl-tuned-short` percent with T = 2 and to {glue:md}`sotl-tuned-long` with T = 250; with a
# constant rate of 0.1, which the thesis does not show, to {glue:md}`sotl-tuned-constant`. A gradient that
# is a sum over so many steps is large: {glue:md}`sotl-clipped-long` percent of the updates with T = 250
# are clipped, and {glue:md}`sotl-clipped-short` percent with T = 2. A clipped update moves the rate by its
# own rate times the clip, by {glue:md}`sotl-clip-step`, whatever the gradient.

# %%
page.figure("sotl-rates")

# %%
page.table("sotl-tuning")

# %% [markdown]
# ## From a supernet
#
# Profile {glue:md}`sotl-profile`: each path of a trained supernet is trained on alone, on a copy of its
# weights ({doc}`all records <../records>`). Beside each stand the same paths without any learning (rate
# 0), and a supernet that was never trained. Another kind of processor rounds differently, and the same
# training ends with other weights there: runs count together only where their supernet's losses are equal
# to the last bit, and {glue:md}`sotl-left-out` stored runs are left out for that.

# %%
page.figure("sotl-supernets")

# %%
page.table("sotl-estimators")

# %%
page.table("sotl-top10")

# %%
page.table("sotl-table41")

# %% [markdown]
# ### NAS-Bench-1Shot1
#
# Three parts of NAS-Bench-101 that one network holds {cite:p}`nasbench1shot1`, here in its authors' own
# network; {glue:md}`sotl-oneshot-stored` fine-tunings are stored. {numref}`tab-sotl-oneshot-cells` says
# how many of the thesis' cells have an accuracy here; {numref}`tab-sotl-oneshot` has these, and others
# drawn from the same spaces, beside the same paths without any learning (rate 0).

# %%
page.table("sotl-oneshot-cells")

# %%
page.table("sotl-oneshot")

# %%
page.table("sotl-table42")

# %%
page.table("sotl-oneshot-learning")

# %% [markdown]
# (sotl-learning)=
# ### Does learning add anything?
#
# "Training losses rank better than validation accuracy" mixes learning, cross-entropy instead of
# accuracy, training instead of validation images, and how many images. With the supernet's own weights
# SPOS' paths rank at {glue:md}`sotl-validation-accuracy` by their accuracy on all validation images, and at
# {glue:md}`sotl-validation-loss` by their cross-entropy there. The losses of 100 minibatches, summed without
# any learning, rank at {glue:md}`sotl-frozen`; that the paths learn on the way changes it by
# {glue:md}`sotl-learning-adds`, and given the parameter count by {glue:md}`sotl-learning-adds-given`, over
# the same images in the same order. {numref}`tab-sotl-learning` has this of every trainer and rate,
# {numref}`tab-sotl-frozen` the other parts of the mixture, {numref}`tab-sotl-beyond` what is left given
# parameters.

# %%
page.table("sotl-learning")

# %%
page.table("sotl-frozen")

# %%
page.table("sotl-beyond")

# %%
page.table("sotl-orders")

# %% [markdown]
# ### Definitions and costs

# %%
page.table("sotl-variants")

# %%
page.table("sotl-usage")

# %% [markdown]
# ## Where text, tables and code differ
#
# - What the text calls SoTL is the loss of the last epoch in its section 3.1, and the sum of all
#   minibatches in 4.2; over which epochs figures 4.4 and 4.5 sum is not said. {numref}`tab-sotl-audit` has
#   both.
# - The text ranks SoTL first and steadiest for SPOS; in its own table 4.1 the loss of one minibatch or
#   validation accuracy is first on each data set ({numref}`tab-sotl-table41`), and SoTL does not vary least.
# - The variants of SPOS are fine-tuned with a tenth of the rate that SPOS has in tables 4.1 and 4.2, so
#   these change two things at once; {numref}`tab-sotl-estimators` has all trainers at both rates.
# - All trainers are said to cost almost the same. FairNAS and MultiPath take several paths a step
#   ({numref}`tab-sotl-usage`).
# - The 200 architectures of a space of NAS-Bench-1Shot1 are 200 encodings; many are of the same
#   architecture, and some are listed twice ({numref}`tab-sotl-oneshot-cells`).
# - Table 4.3 calls error rates accuracies.
# - Reptile with one task a step, an outer rate of 1 and the same batch, as the code runs it, is plain SGD
#   on one path. It is said to use second-order information, and is of first order.
# - The proximal penalty is not squared in the text, and is in the code.
# - SoG sums dimensions with their signs in the text, and their absolute values in the code; SoGN is an L1
#   norm in the text, and in the code the L2 norm, taken twice a step. {numref}`tab-sotl-variants` shows
#   how much it matters.
# - The text draws fewer points for its figures 4.2 and 4.3 than the code; the MLP that it describes has
#   fewer parameters than it says.
#
# ## What this design can decide
#
# Of {glue:md}`sotl-decided-with-p` claims with a p-value that are supported or contradicted,
# Holm's method over all claims of the thesis leaves {glue:md}`sotl-decided-by-holm`.

# %%
page.table("sotl-decides")
