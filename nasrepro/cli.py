"""The command line: data, spaces, runs, studies, the book."""

import io
import json
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated

import typer

from nasrepro.errors import ConfigError, DataError, NasreproError, meant
from nasrepro.paths import check_folders, make_variables_absolute
from nasrepro.studies import NAMES

if TYPE_CHECKING:  # imports torch: slow
    from nasrepro.studies.results import Plan

# Commands import what they need themselves, so that help and short commands start at once.
app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Reproducible companion of five studies of weight-sharing neural architecture search.",
)
data = typer.Typer(no_args_is_help=True, help="The files that come from elsewhere.")
space = typer.Typer(no_args_is_help=True, help="The search spaces.")
runs = typer.Typer(no_args_is_help=True, help="The stored records, one per run.")
study = typer.Typer(no_args_is_help=True, help="The studies: plan, run, look.")
bench = typer.Typer(no_args_is_help=True, help="Benchmarks of our own: train cells one by one.")
claims = typer.Typer(no_args_is_help=True, help="The claims of the papers, and our verdicts.")
book = typer.Typer(no_args_is_help=True, help="The book.")
for name, group in (
    ("data", data),
    ("space", space),
    ("study", study),
    ("runs", runs),
    ("bench", bench),
    ("claims", claims),
    ("book", book),
):
    app.add_typer(group, name=name)

Study = Annotated[
    str, typer.Argument(metavar="STUDY", help=f"Name of the study: {', '.join(NAMES)}.")
]
StudyIfAny = Annotated[
    str | None, typer.Argument(metavar="STUDY", help="Name of the study; none lists them.")
]
Profile = Annotated[
    str,
    typer.Option(
        help="How large to run: smoke, cpu or paper; correlations also has own and digits, which "
        "need no published table, and training-tricks paper-yu and paper-zhang, other papers' "
        "settings."
    ),
]
Seeds = Annotated[
    int | None, typer.Option(help="Largest number of seeds per setting; default: the profile's.")
]
Workers = Annotated[int, typer.Option(help="Local processes, one run each; 0: in this one.", min=0)]
RunsAtOnce = Annotated[
    int | None,
    typer.Option(
        "--workers",
        help="Runs at once, each in a separate process; 0: one, in this process. Default: 1, or "
        "as many as the scheduler has workers.",
        min=0,
    ),
]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1, mps.")]
Scheduler = Annotated[
    str | None, typer.Option(help="Dask scheduler that computes, e.g. tcp://host:8786.")
]


def main() -> None:
    """Run a command: errors that people can mend are printed, not raised.

    What the terminal has no characters for is printed as question marks.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    make_variables_absolute()
    try:
        check_folders()
        app()
    except NasreproError as error:
        print(f"nasrepro: {error}", file=sys.stderr)
        raise SystemExit(2 if isinstance(error, ConfigError) else 1) from None


def _print_version(asked: bool) -> None:
    if asked:
        print(f"nasrepro {version('nasrepro')}")
        raise typer.Exit


@app.callback()
def _options(
    asked: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    pass


@data.command("list")
def data_list() -> None:
    """Every external file: its size, licence, and whether it is on this machine; other tables."""
    from nasrepro.benchmarks import OFFICIAL, available_tables, official_curves, selfmade
    from nasrepro.data.sources import SOURCES, locate

    for source in SOURCES.values():
        where = locate(source) or "not here"
        print(f"{source.name:18} {source.bytes:>13,} bytes  {source.licence:12}  {where}")
        print(f"{'':18} {source.description}")
    here = available_tables()
    for name, files in OFFICIAL.items():
        curves = name == official_curves.NAME and official_curves.converted()
        print(f"{name:18} {'here' if name in here or curves else 'not here'}")
        print(f"{'':18} Read from {' or '.join(files)}, in $NASREPRO_DATA.")
    for name in dict.fromkeys((selfmade.NAME, *selfmade.available())):
        print(f"{name:18} {'here' if name in here else 'not here'}")
        print(f"{'':18} A benchmark of our own: nasrepro bench info {name}.")


@data.command("fetch")
def data_fetch(
    names: Annotated[list[str], typer.Argument(help="Names, as `data list` shows them.")],
) -> None:
    """Get files from $NASREPRO_DATA, the cache or the network, and check them."""
    from nasrepro.benchmarks import TABLES, load_table, official_curves
    from nasrepro.data.images import NAMES, load_images
    from nasrepro.data.sources import SOURCES, fetch

    for name in names:
        if name in NAMES:
            load_images(name)
            print(f"{name}: ready")
        elif name in SOURCES:
            print(f"{name}: {fetch(SOURCES[name])}")
        elif name in TABLES:
            load_table(name)
            print(f"{name}: ready")
        elif name == official_curves.NAME:
            official_curves.load()
            print(f"{name}: ready")
        else:
            known = list(dict.fromkeys((*SOURCES, *NAMES, *TABLES, official_curves.NAME)))
            raise ConfigError(
                f"unknown file {name!r}{meant(name, known)}; the files are {', '.join(known)}"
            )


@data.command("verify")
def data_verify() -> None:
    """Check the sha256 of every external file that is on this machine; exit code 1 if one fails."""
    from nasrepro.data.sources import SOURCES, locate, verify

    damaged = 0
    for source in SOURCES.values():
        if (path := locate(source)) is None:
            print(f"{source.name}: not here")
            continue
        try:
            verify(path, source)
            print(f"{source.name}: {path} is whole")
        except DataError as error:
            print(f"{source.name}: {error}")
            damaged += 1
    if damaged:
        raise typer.Exit(1)


@space.command("counts")
def space_counts(
    name: Annotated[str | None, typer.Argument(help="Name of the space; none lists them.")] = None,
) -> None:
    """Sizes of a search space and its subspaces, counted where that can be done: name,count."""
    from nasrepro.spaces import SPACES, counts

    if name is None:
        print("\n".join(f"{known:6} {space.TITLE}" for known, space in SPACES.items()))
        return
    counted = counts(name)
    rows = (f'"{part}",{count}' if "," in part else f"{part},{count}" for part, count in counted)
    _print_data("\n".join(["name,count", *rows, ""]))


@runs.command("list")
def runs_list() -> None:
    """Every stored run: key, status, kind, data set, cell or subspace, network, seed, seconds.

    The second column says whose store it lies in: the book's or your own.
    """
    from nasrepro.paths import book_results
    from nasrepro.runs.kinds import KINDS, store_of, trained_part
    from nasrepro.studies.results import seconds

    for kind in KINDS:
        store = store_of(kind)
        for record in store.records():
            config = record.config
            place = store.path(record.key)
            whose = "book" if place.is_relative_to(book_results()) else "own"
            print(
                f"{record.key}  {whose:4}  {record.status:8}  {kind.name}  {config.data.name}  "
                f"{trained_part(config):22}  {config.net!s:34}  seed {config.seed}  "
                f"{seconds(record):6.0f} s"
            )


@runs.command("verify")
def runs_verify() -> None:
    """Find damaged records and weights of supernets; exit code 1 if there are any."""
    from nasrepro.runs import weights
    from nasrepro.runs.kinds import KINDS, store_of

    stores = [store_of(kind) for kind in KINDS]
    problems = [problem for store in stores for problem in store.verify()]
    problems += weights.verify()
    for key, problem in problems:
        print(f"{key}: {problem}")
    total = sum(len(store.stored_keys()) for store in stores)
    print(f"{total} records and {len(weights.stored())} weights, {len(problems)} damaged")
    if problems:
        raise typer.Exit(1)


@runs.command("show")
def runs_show(
    key: Annotated[str, typer.Argument(help="Key of the run, or how it begins.")],
) -> None:
    """One record as JSON."""
    from nasrepro.runs.kinds import KINDS, store_of
    from nasrepro.runs.record import array_values, head_values

    stores = {
        known: store
        for kind in KINDS
        for store in [store_of(kind)]
        for known in store.stored_keys()
    }
    chosen = [known for known in stores if known.startswith(key)]
    if len(chosen) != 1:
        some = ", ".join(chosen[:9]) + ", ..." * (len(chosen) > 9)
        hint = f"it could be {some}" if chosen else "see nasrepro runs list"
        raise ConfigError(f"{len(chosen)} runs have a key that begins with {key!r}; {hint}")
    store = stores[chosen[0]]
    record = store.read(store.path(chosen[0]))
    print(json.dumps(head_values(record) | array_values(record), indent=2, allow_nan=False))


@study.command("list")
def study_list() -> None:
    """The studies: what each asks, how many runs of its profiles are stored, its notebook."""
    from nasrepro.studies import notebook_of, question
    from nasrepro.studies import study as find
    from nasrepro.studies.results import count_stored

    for name in NAMES:
        counted = {profile: count_stored(name, profile) for profile in find(name).PROFILES}
        stored = ", ".join(f"{profile} {of[0]} of {of[1]}" for profile, of in counted.items())
        print(f"{name}\n    {question(name)}\n    runs stored: {stored}")
        print(f"    notebook: {notebook_of(name) or 'none yet'}")


@study.command("plan")
def study_plan(
    name: StudyIfAny = None, profile: Profile = "cpu", seeds: Seeds = None, workers: Workers = 1
) -> None:
    """How many runs a study has, how many are stored, how long the missing ones will take."""
    from nasrepro.studies.results import plan

    if name is None:
        return study_list()
    _print_plan(name, profile, plan(name, profile, seeds), max(workers, 1), "cpu")


def _print_plan(name: str, profile: str, planned: "Plan", at_once: int | None, device: str) -> None:
    """What of a study is stored, and how long the rest will take with so many runs at once."""
    from nasrepro.progress import duration

    total = len(planned.stored) + len(planned.missing)
    print(f"{name}, profile {profile}: {total} runs, {len(planned.stored)} stored")
    seconds, unknown = planned.seconds_missing()
    if known := len(planned.missing) - unknown:
        at_once = at_once or 1
        print(f"{known} to compute, about {duration(seconds / at_once)} with {at_once} at a time")
    if unknown:
        print(f"{unknown} to compute of a kind not run yet: its time is known after the first")
    for precision, count in planned.precisions().items():
        print(f"{count} of the stored trained in {precision}")
    if planned.asked_in_vain(device):
        print(
            "this machine does not multiply bfloat16 in hardware: what asks for it is computed in "
            "float32 here"
        )


@study.command("status")
def study_status(
    name: StudyIfAny = None,
    profile: Profile = "cpu",
    seeds: Seeds = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """What of a study is stored, what is being computed now, what failed and why."""
    from nasrepro.studies.results import plan
    from nasrepro.train import multiplies_bfloat16

    if name is None:
        return study_list()
    planned = plan(name, profile, seeds)
    seconds, unknown = planned.seconds_missing()
    status = {
        "study": name,
        "profile": profile,
        "runs": len(planned.stored) + len(planned.missing),
        "stored": len(planned.stored),
        "missing": len(planned.missing),
        "diverged": sum(record.status == "diverged" for record in planned.stored),
        **{f"stored_{name}": count for name, count in planned.precisions().items()},
        "bfloat16_here": multiplies_bfloat16("cpu"),
        "computing": len(planned.computing),
        "failed": len(planned.failures),
        "seconds_stored": round(planned.seconds_stored),
        "seconds_missing": round(seconds),
        "missing_of_unknown_cost": unknown,
        "seconds_left": None if (left := planned.seconds_left()) is None else round(left),
        "peak_memory_mb": planned.peak_memory_mb,
    }
    if as_json:
        print(json.dumps(status | {"failures": planned.failures}))
    else:
        for key, value in status.items():
            print(f"{key:24} {'unknown' if value is None else value}")
        for key, why in planned.failures.items():
            print(f"{key}: {why}")


@study.command("run")
def study_run(
    name: Study,
    profile: Profile = "cpu",
    seeds: Seeds = None,
    workers: RunsAtOnce = None,
    device: Device = "cpu",
    scheduler: Scheduler = None,
) -> None:
    """Compute the runs a study lacks and keep them; safe to interrupt and to run again.

    They go to $NASREPRO_RESULTS, else to your cache: not between those of the published book.
    """
    from nasrepro.paths import results_dir
    from nasrepro.studies import notebook_of
    from nasrepro.studies.results import compute_missing, plan

    at_once = _at_once(workers, scheduler)
    planned = plan(name, profile, seeds)
    _print_plan(name, profile, planned, at_once, device)
    if planned.missing:
        count = compute_missing(name, profile, seeds, at_once, device, scheduler)
        print(f"computed {count} runs; their records are in {results_dir()}")
    else:
        print("nothing to compute")
    study_collect(name, profile)
    look = f"nasrepro study table {name} --profile {profile}"
    if notebook := notebook_of(name):
        look += f", or as a page: nasrepro book run {notebook} -p profile={profile}"
    print(f"to look: {look}")


@study.command("collect")
def study_collect(
    name: Annotated[
        str | None,
        typer.Argument(metavar="STUDY", help="Name of a study; none: all that have stored runs."),
    ] = None,
    profile: Profile = "cpu",
) -> None:
    """Store the statistics of the runs there are; studies share runs, so better of all studies."""
    from nasrepro.studies import study as find
    from nasrepro.studies.design import check_asked
    from nasrepro.studies.results import collect, count_stored

    check_asked(profile, dict.fromkeys(p for n in NAMES for p in find(n).PROFILES), seeds=None)
    begun = [n for n in NAMES if profile in find(n).PROFILES and count_stored(n, profile)[0]]
    if name is None and not begun:
        print(f"no run of profile {profile} is stored: there is nothing to collect")
    for study_name in begun if name is None else [name]:
        folder = collect(study_name, profile)
        print(
            f"statistics of {study_name}: {folder}"
            if folder
            else f"all runs of {study_name} that are stored are the book's, and so its statistics"
        )


@study.command("table")
def study_table(
    name: StudyIfAny = None,
    table: Annotated[str | None, typer.Argument(help="Name of a table; none lists them.")] = None,
    profile: Profile = "cpu",
) -> None:
    """A table of a study as CSV; without a name, the names of its tables."""
    from nasrepro.studies import study as find
    from nasrepro.studies.results import table as make
    from nasrepro.studies.results import to_csv

    if name is None:
        study_list()
    elif table is None:
        print("\n".join(find(name).TABLES))
    else:
        _print_data(to_csv(make(name, profile, table)))


@bench.command("build")
def bench_build(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As `bench info` lists them.")],
    like: Annotated[
        str | None, typer.Option(help="Make a benchmark of a new name after this one.")
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("-p", help="With --like: setting=value, e.g. train.epochs=20; repeatable."),
    ] = None,
    runs: Annotated[
        int | None, typer.Option(min=0, help="Largest number of runs to compute now; 0 only packs.")
    ] = None,
    workers: RunsAtOnce = None,
    device: Device = "cpu",
    scheduler: Scheduler = None,
) -> None:
    """Train the cells that are missing and pack them; safe to interrupt and to run again."""
    from nasrepro.benchmarks import selfmade
    from nasrepro.runs.bench import build, define, find

    if changes and like is None:
        raise ConfigError(f"-p changes a copy: nasrepro bench build NEW-NAME --like {name} -p ...")
    pairs = dict(_pair(text) for text in changes or [])
    bench = find(name) if like is None else define(name, like, pairs)
    build(bench, runs, _at_once(workers, scheduler), device, scheduler)
    bench_info(name)
    if name in selfmade.available():
        print(f"packed in {selfmade.location(name)}")


@bench.command("info")
def bench_info(
    name: Annotated[
        str | None, typer.Argument(help="Name of a benchmark; none lists them.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Its settings, as JSON.")] = False,
) -> None:
    """What a benchmark is, how much of it is stored and computed now, how well its seeds agree."""
    from nasrepro.runs.bench import find, names, progress, statistics
    from nasrepro.runs.config import to_dict

    if name is None:
        for known in names():
            print(f"{known:20} {progress(find(known))}")
        return
    bench = find(name)
    if as_json:
        print(json.dumps(to_dict(bench), indent=2))
        return
    state = progress(bench)
    print(f"{name}: {bench}\n{state}")
    for key, why in state.failures.items():
        print(f"{key}: {why}")
    if state.packed > 1 and state.complete > 1:
        print(statistics(name).to_string(index=False, float_format="%.3f"))


@bench.command("verify")
def bench_verify(
    name: Annotated[str | None, typer.Argument(help="Name of a benchmark; none: all.")] = None,
) -> None:
    """Find damaged records, altered packed files, and runs that do not belong; exit code 1 then."""
    from nasrepro.runs.bench import find, names, verify

    total = 0
    for known in names() if name is None else [name]:
        problems = list(verify(find(known)))
        print("\n".join([f"{known}: {problem}" for problem in problems] or [f"{known}: whole"]))
        total += len(problems)
    if total:
        raise typer.Exit(1)


@app.command("rank")
def rank_cells(
    minutes: Annotated[int, typer.Option(help="Of one CPU core, about: 1, 3 or 10.")] = 10,
    show: Annotated[int, typer.Option(help="How many of the best; 0: all.", min=0)] = 10,
    seed: Annotated[int, typer.Option(help="Another one trains other supernets.", min=0)] = 0,
    workers: Workers = 0,
    device: Device = "cpu",
    profile: Annotated[
        str, typer.Option(help="cpu: CIFAR-10; smoke: a first look, with digits, in seconds.")
    ] = "cpu",
) -> None:
    """Rank random cells of NAS-Bench-201 with supernets, by study 2's recipe: CSV, best first.

    Supernets are trained once and kept, where `study run` keeps its records, too.
    """
    from nasrepro.canonical import to_csv
    from nasrepro.recipes import rank

    rows = rank(minutes, seed, workers, device, profile=profile)
    _print_data(to_csv(rows.head(show) if show else rows))


@claims.command("list")
def claims_list(
    paper: Annotated[str | None, typer.Option(help="Of one paper: Laube, Pourchot...")] = None,
    status: Annotated[str | None, typer.Option(help="With one verdict: supported...")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Every claim of every study, with its verdict: study, paper, verdict, what was found, id."""
    from nasrepro.pages.registry import chosen, entries, registry
    from nasrepro.pages.text import with_interval

    rows = chosen(registry(), paper=paper, status=status)
    if as_json:
        _print_data(json.dumps(entries(rows), indent=2, ensure_ascii=False) + "\n")
        return
    for row in rows.itertuples():
        found = f"{with_interval(row.value, row.ci_low, row.ci_high)}, n = {row.n}" if row.n else ""
        print(f"{row.status:17}  {row.paper:8}  {row.study:15}  {row.id:28}  {found}")
        print(f"{'':17}  {row.statement} ({row.where})")


@book.command("build")
def book_build() -> None:
    """Execute the notebooks whose inputs changed and build the site."""
    from nasrepro.book import build

    print(f"open {build()}")


@book.command("list")
def book_list() -> None:
    """The notebooks of the book: name, title, parameters with their defaults."""
    from nasrepro.book import notebooks

    for name, (title, parameters) in notebooks().items():
        given = ", ".join(f"{key}={value}" for key, value in parameters.items())
        print(f"{name:18} {title}\n{'':18} parameters: {given}")


@book.command("run")
def book_run(
    notebook: Annotated[str, typer.Argument(help="Name of a notebook, e.g. 01_correlations.")],
    parameters: Annotated[
        list[str] | None, typer.Option("-p", help="name=value; may be given several times.")
    ] = None,
) -> None:
    """Execute one notebook with your own parameters, and lay it out as a page."""
    from nasrepro.book import publish, run

    executed = run(notebook, dict(_pair(text) for text in parameters or []))
    page = publish(executed)
    print(f"open {page}, or {executed} in Jupyter")


def _print_data(text: str) -> None:
    """Print a table: in UTF-8 where a program or a file takes it, whatever the terminal has."""
    if isinstance(sys.stdout, io.TextIOWrapper) and not sys.stdout.isatty():
        sys.stdout.reconfigure(encoding="utf-8")
    print(text, end="")


def _pair(text: str) -> tuple[str, object]:
    """A parameter or a setting: its value is read as JSON where it is JSON, else as text."""
    name, equals, value = text.partition("=")
    if not equals:
        raise ConfigError(f"a parameter is written name=value, found {text!r}")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def _at_once(workers: int | None, scheduler: str | None) -> int:
    """The runs at once that are meant where none are said: see `RunsAtOnce`."""
    return workers if workers is not None else 0 if scheduler else 1
