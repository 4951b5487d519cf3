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
# (regret)=
# # 3. Search with and without weight sharing
#
# **Question.** Given the same time, does a supernet help to find a better architecture than a
# search that trains every candidate on its own?
#
# **What the paper did.** Pourchot {cite:p}`pourchot2022` trained supernets on each of seven spaces
# made of NAS-Bench-101 {cite:p}`ying2019`, searched 25 times with their proxy accuracies, and
# compared test regrets with 100 runs of random and of greedy search, counting every cost. The
# comparison is *one-shot*: at the time when the one cell that a search with a supernet picks has
# been trained.

# %% tags=["parameters"]
profile = "cpu"  # smoke, cpu or paper: how the supernets of study 1 were computed
workers = 0  # local processes that compute missing runs; 0 shows what is stored
device = "cpu"  # for computing: cpu, cuda, mps

# %%
from nasrepro import pages

page = pages.prepare("regret", profile, workers, device)

# %% [markdown]
# **In short.** With the authors' published supernets, the effect of weight sharing has the sign that
# the paper prints in {glue:md}`regret-same-sign` of {glue:md}`regret-spaces` spaces, and its interval
# lies clear of zero in {glue:md}`regret-clear` of them ({numref}`fig-effects`); five supernets a space
# are few. Whether our own supernets on NAS-Bench-201 beat random search hangs on what they are charged:
# by the images they saw, which is nearer to what they cost, they are better in {glue:md}`regret-better-run` of
# {glue:md}`regret-spaces-201` subspaces and worse in {glue:md}`regret-worse-run`; by the paper's ratio,
# better in {glue:md}`regret-better-paper` and worse in {glue:md}`regret-worse-paper`
# ({numref}`tab-oneshot-201`). Training the cell with the most parameters, without any search, beats the
# authors' mean pick in {glue:md}`regret-largest-101` spaces of NAS-Bench-101 and ours in
# {glue:md}`regret-largest-201` of NAS-Bench-201, without an interval ({numref}`tab-largest`). What the
# paper prints follows from its own numbers but for {glue:md}`regret-odd-p` of
# {glue:md}`regret-printed` p-values and one probability, of A_4 ({numref}`tab-superiority`).

# %%
page.primer()

# %% [markdown]
# ## Claims
#
# Of {glue:md}`regret-claims` claims, {glue:md}`regret-supported` are supported here,
# {glue:md}`regret-contradicted` contradicted, {glue:md}`regret-undecided` undecided,
# {glue:md}`regret-not-testable-here` not testable here and {glue:md}`regret-not-run` not run. Quantity and
# region of each were written down before results had been seen, but for {glue:md}`regret-claims-added` added
# and {glue:md}`regret-claims-corrected` corrected later, which say so where they are unfolded.

# %%
page.claims()

# %% [markdown]
# ## How we ran it
#
# - **NAS-Bench-101**: {glue:md}`regret-sample`. With them the authors' own supernets, each with the
#   proxy accuracies of 1,000 cells drawn at random from its space; and apart from them
#   {glue:md}`regret-nb101-stored` of our own, from study 1. Regrets are in
#   percent of {glue:md}`regret-accuracy-nb101`. Time is in seconds of training, as the benchmark measured them.
# - **NAS-Bench-201** {cite:p}`dong2020`: the complete table and the small supernets of study 1,
#   profile {glue:md}`regret-profile` ({glue:md}`regret-runs-stored` of {glue:md}`regret-runs-total`
#   stored). Cells that each evaluated: {glue:md}`regret-evaluated`. Candidates are the
#   {glue:md}`regret-candidates` of the random sample alone; a cell of the top is one only if it was
#   drawn, too. {glue:md}`regret-whole-stored` of {glue:md}`regret-whole-total` more supernets, trained
#   in the same way, evaluated all {glue:md}`regret-whole-size` cells of one space
#   ({glue:md}`regret-whole-space`). Of {glue:md}`regret-repeated` proxy accuracies that study 1's
#   supernets of the same seeds have as well, {glue:md}`regret-alike` are the same to the image.
#   Regrets are in percent of {glue:md}`regret-accuracy-nb201`. Time is in stand-alone trainings.
# - **NAS-Bench-Macro** {cite:p}`su2021`: the complete table, and {glue:md}`regret-macro-stored` of
#   {glue:md}`regret-macro-total` supernets that evaluated {glue:md}`regret-macro-size` networks
#   ({numref}`tab-macro-settings`). Regrets are in percent of {glue:md}`regret-accuracy-macro`. Time
#   is in stand-alone trainings.
#
# NAS-Bench-201's and NAS-Bench-Macro's tables have one accuracy a cell: there, all searches select by
# the test accuracy that they report.
#
# The tables: {glue:md}`regret-source`. Our supernets of NAS-Bench-101 and NAS-Bench-201 are those of
# {doc}`study 1 <01_correlations>`, where their settings stand: {glue:md}`regret-machine`
# ({doc}`all records <../records>`).
#
# Without weight sharing, {glue:md}`regret-runs` runs of each search train up to
# {glue:md}`regret-evaluations` cells, or all there are; what random search has found when a one-shot
# search ends is the mean of {glue:md}`regret-draws` runs more. With weight sharing, a random search
# evaluates one in {glue:md}`regret-guided` of a supernet's candidates by proxy. Which ones is chance,
# and so a verdict could hang on our draw. It does not: the regret of a supernet is the expectation over
# all draws. Of *n* candidates the one of rank *j* is the best of *k* drawn with probability
# C(*n* - *j*, *k* - 1) / C(*n*, *k*). Intervals are over supernets, each of which counts once.
# Figures over time show {glue:md}`regret-guided` drawn searches of each supernet, which train their
# cells from the best down; their dots are the expectations. Regret, search and budget are defined on
# {doc}`the page of definitions <../definitions>`.
#
# **Costs.** By the account that is called *as in the paper*, a supernet costs
# {glue:md}`regret-supernet-cost` average stand-alone trainings of its space, and a proxy accuracy
# {glue:md}`regret-forward-cost` of a training. Some of it we infer. The paper takes the average
# training time of a space's architectures for that of a supernet (4.3), which can be read without
# the factor of four; that a supernet trains for 432 epochs and an architecture for 108 is in 4.2. Of
# an evaluation it says that it takes about four seconds (4.3); that a forward pass over the validation
# images costs a third of a training step is our estimate. It does not search with AVG-3; we charge a
# step of three paths as three. For our own supernets on NAS-Bench-201 and
# NAS-Bench-Macro there is a second account, by the number of images they saw. It counts images and
# not their size: ours had {glue:md}`regret-pixels` pixels a side, the benchmarks' 32, and on
# NAS-Bench-201 the supernets {glue:md}`regret-cells-a-stage` cell(s) a stage, the benchmark's
# networks five. So both accounts charge ours too much, this one by less: where the two disagree, it is
# the one to believe of ours, and the paper's the one to believe of supernets as large as the paper's.
#
# **Methods**, as the paper calls them: *NO FT* evaluates a cell with the batch-normalisation
# statistics of the supernet, all others with those of one mini-batch passed through the cell itself
# (*BNS-FT*, which is the paper's search). *AVG-3* averages the gradients of three cells in each
# update; *PRO-RATA* draws cells in proportion to their parameters; *SINGLE-K* cuts the 1x1 kernels
# out of the 3x3 ones; *S-K + P-R* does both of the last two. In tables, *RS* is random search, *GS*
# greedy search, and *ws* marks a search with weight sharing.
#
# ## The authors' supernets
#
# The paper speaks of "around 25 WS training for each search space" (section 1) and of "around 25 runs
# of the WS-based approach" (4.3): 25 supernets of one search each, or 25 searches that share fewer.
# Five a space are published, for each of six methods. {numref}`fig-effects` sets their effect sizes
# beside the printed ones, {numref}`tab-effects-101` has them in the form of the paper's table 4. The
# interval leaves out the printed effect in {glue:md}`regret-outside` of them.

# %%
page.figure("effects")

# %%
page.table("oneshot-101")

# %%
page.table("effects-101")

# %%
page.figure("curves-101")

# %% [markdown]
# The paper searches with BNS-FT only. With the supernets of the other methods of its table 3, the
# same comparison gives:

# %%
page.table("oneshot-101-methods")

# %% [markdown]
# ## Our supernets on NAS-Bench-201
#
# Our reduced supernets are cheap: by the images they saw, training one and searching with it costs
# {glue:md}`regret-cost-201` stand-alone trainings in the full space. Random search has time for
# {glue:md}`regret-time-run` while such a search trains its pick, and its regret less that of the pick
# is {glue:md}`regret-difference-run` percent. Charged as in the paper, it has time for
# {glue:md}`regret-time-paper`, and the same difference is {glue:md}`regret-difference-paper`
# ({numref}`tab-oneshot-201`; below zero, weight sharing is worse). Without any account: what
# {glue:md}`regret-supernets-201` supernets pick in the full space is worth
# {glue:md}`regret-match-201` trainings of random search. All searches select here by the test accuracy
# that they report. {numref}`tab-effects-201` has effect sizes, against greedy search, too.

# %%
page.table("oneshot-201")

# %%
page.table("effects-201")

# %%
page.figure("curves-201")

# %% [markdown]
# ## Supernets that can be asked for any cell
#
# Greedy search asks for neighbours. With each supernet that evaluated all cells, random (RS) and
# greedy searches (GS) evaluate by proxy as large a share of the space as the paper's 10,000 cells are
# of NAS-Bench-101 ({glue:md}`regret-whole-share` of NAS-Bench-201's, {glue:md}`regret-macro-share` of
# NAS-Bench-Macro's), or {glue:md}`regret-evaluations` cells, at most all. What random search picks is
# again the expectation over all draws. For greedy search there is no such form: its pick is that of
# {glue:md}`regret-guided` searches with each supernet, and no claim is judged by it.
# {numref}`tab-nb201-whole` and {numref}`tab-macro-whole` have their regrets,
# {numref}`tab-effects-nb201-whole` and {numref}`tab-effects-macro-whole` the four columns of the
# paper's tables 4 and 5. What these searches pick is as good as the best of so many trainings at
# random: {glue:md}`regret-worth-201` on NAS-Bench-201, {glue:md}`regret-worth-macro` on
# NAS-Bench-Macro. All searches select by the test accuracy that they report. {numref}`tab-whole`
# says how well these supernets rank.

# %%
page.table("whole")

# %%
page.table("nb201-whole")

# %%
page.table("effects-nb201-whole")

# %%
page.figure("curves-nb201-whole")

# %%
page.table("macro-whole")

# %%
page.table("effects-macro-whole")

# %%
page.table("macro-settings")

# %%
page.figure("curves-macro-whole")

# %% [markdown]
# ## No search at all
#
# Whoever trains the network with the most parameters needs neither a supernet nor a search.
# {numref}`tab-largest` has the regret of that. It is lower than the mean regret of what supernets pick
# in {glue:md}`regret-largest-101` spaces of NAS-Bench-101 (the authors' supernets, BNS-FT) and in
# {glue:md}`regret-largest-201` of NAS-Bench-201 (ours, of those that evaluated a sample), by means
# alone: their difference has no interval.

# %%
page.table("largest")

# %% [markdown]
# ## Greedy or random search
#
# Both without weight sharing. Greedy search explores one neighbourhood first;
# {numref}`tab-greedy-nb201` and {numref}`tab-greedy-macro` show when that pays; there, both searches
# select by the test accuracy that they report. Greedy search on NAS-Bench-101 asks for cells that the
# sample lacks, and so for the benchmark's official file ({numref}`tab-greedy-nb101-official`).
#
# In the paper's spaces it does not pay in the time of a one-shot search: the left column of its table
# 4 less that of its table 5 is the regret of random less that of greedy search, below zero in
# {glue:md}`regret-greedy-worse` of seven spaces, {glue:md}`regret-greedy-worst` to
# {glue:md}`regret-greedy-best`. Here that time is {glue:md}`regret-one-shot` trainings: a supernet,
# 10,000 evaluations and the pick, as the paper charges them.

# %%
page.table("greedy-nb101-official")

# %%
page.table("greedy-nb201")

# %%
page.table("greedy-macro")

# %%
page.figure("curves-macro")

# %% [markdown]
# ## What the paper prints, computed again
#
# Of {glue:md}`regret-printed` effects in tables 4 and 5, {glue:md}`regret-d-agrees` are their mean over
# their deviation. Of as many p-values, those below do not follow from d and the numbers of runs
# ({glue:md}`regret-odd-p`):

# %%
page.table("odd")

# %% [markdown]
# With 24 searches in place of 25 this p would follow. Of {glue:md}`regret-wins` probabilities in the
# text, those of A_FULL and A_1 are said to belong to a d; beside A_4's there is
# none, and the table has that of table 4. {glue:md}`regret-wins-agree` of them follow to the digit.
# "Around 61%" is close: it is what d = 0.4 gives. A_4's is not: weight sharing is said to win as rarely
# as {glue:md}`regret-printed-a4` of the time, and table 4 makes it {glue:md}`regret-computed-a4`.

# %%
page.table("superiority")

# %% [markdown]
# Twenty-five runs are said to be enough for any effect of at least medium size (0.5) with a power of
# 0.8. Against 100 runs their power for it is {glue:md}`regret-power`; they find effects from
# {glue:md}`regret-detectable` on, and {glue:md}`regret-needed` would be needed. (Two groups of 25
# find {glue:md}`regret-equal`, a *large* effect: perhaps that was the question asked.)
# {glue:md}`regret-supernets` supernets of one search each, against {glue:md}`regret-runs` runs, find
# {glue:md}`regret-detectable-here`.

# %%
page.table("design")

# %% [markdown]
# Of {glue:md}`regret-texts` other numbers of the text, {glue:md}`regret-texts-agree` follow from the
# paper's tables and the sizes of the spaces, {glue:md}`regret-texts-reading` in one of two readings,
# and {glue:md}`regret-texts-odd` in none:

# %%
page.table("text")

# %% [markdown]
# ## What the verdicts rest on
#
# *Undecided* has two reasons here. Where a claim gives a sign, more supernets would decide it. Where it
# says that something is small, its whole interval has to be: of {glue:md}`regret-about-zero` such
# claims, {glue:md}`regret-hopeless` cannot come out as supported with the n there is, wherever the
# estimate lies ({numref}`tab-precision`), and the others only with an estimate close to zero. The
# paper's own 25 runs against 100 give ±{glue:md}`regret-around` around an effect of zero; by this rule,
# its printed effects in these spaces would be undecided in {glue:md}`regret-small-d-undecided` of
# {glue:md}`regret-small-d`.
#
# Each verdict is at 95% on its own ({doc}`what the rule errs <../definitions>`). Of
# {glue:md}`regret-decided-with-p` that are supported or contradicted, Holm's method over all claims of
# this page leaves {glue:md}`regret-decided-by-holm`. {numref}`tab-regret-decides` says which claims these
# supernets could decide.

# %%
page.table("regret-decides")

# %%
page.table("precision")

# %% [markdown]
# ## What differs, and why
#
# :::{dropdown} Fewer supernets, greedy search, the sample, accuracies, time, candidates, failed supernets
# :class-container: fold
#
# - **Fewer supernets, smaller searches.** The paper's searches evaluate 10,000 cells by proxy; of the
#   supernets here, published or ours, only those that evaluated all of a space allow as many. The
#   others evaluated 1,000 at most, of which a search draws one in {glue:md}`regret-guided`. The pick
#   of so few is not that of 10,000, and the budget is smaller, too.
# - **Greedy search with weight sharing** asks for proxy accuracies of neighbours, and so for
#   supernets that evaluated all cells: ours of two spaces. The authors published a random sample. On
#   NAS-Bench-101 greedy search without weight sharing is missing, too: the sample does not have all
#   neighbours.
# - **A sample of NAS-Bench-101.** The best cell of a space is the best of the sample. That moves all
#   regrets of a space alike, not their differences.
# - **Validation and test accuracies are means** of the benchmark's three runs. The paper reports the
#   mean test accuracy (4.3), but does not say whether its searches saw the validation accuracy of one
#   run or the mean. The tables of NAS-Bench-201 and
#   NAS-Bench-Macro have one accuracy a cell: there, searches select by the test accuracy that is
#   reported.
# - **Time.** The paper measured the duration of each cell's training step on its own GPUs; we use
#   the benchmark's training seconds, and one training where there are none. A supernet's network is
#   narrower than the stand-alone ones; like the paper, we charge it as if it were not.
# - **Greedy search** evaluates a cell once, and neighbours in random order; the paper does not say.
# - **Our supernets of a subspace all evaluated the same random cells**, but for those that evaluated
#   all: intervals over them say nothing about other candidates.
# - **A failed supernet** (diverged, or constant predictions) is left out and marked, as in the paper's
#   table 3.
# :::
#
# ## Run it yourself
#
# ```bash
# .venv/bin/nasrepro study run regret --profile cpu --workers 2  # missing supernets, and statistics
# .venv/bin/nasrepro study table regret comparisons              # every comparison as CSV
# .venv/bin/nasrepro book run 03_regret -p profile=cpu           # this page
# ```
