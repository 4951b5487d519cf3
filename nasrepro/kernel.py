"""Run the cells of a notebook, in a kernel of the interpreter that runs this.

Whatever kernels, settings and other notebooks there are on the machine: they play no part.
"""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import papermill
from ipykernel.kernelspec import make_ipkernel_cmd
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from nasrepro import paths
from nasrepro.errors import NasreproError
from nasrepro.files import whole_file

SPEC = {"name": "python3", "display_name": "Python 3", "language": "python"}
PATIENCE = 600  # seconds for an answer; the defaults, 60 and 4, are short on a busy machine
SOCKET_LENGTH = 100  # what every system takes as the path of a socket, in bytes


class OwnKernel(AsyncKernelManager):
    """A kernel of this interpreter, which no kernelspec and no setting of the user changes."""

    @property
    def kernel_spec(self) -> KernelSpec:
        """How to start it; its settings are looked for beside its connection file."""
        folder = Path(self.connection_file).parent
        return KernelSpec(**SPEC, argv=make_ipkernel_cmd(), env={"IPYTHONDIR": str(folder)})


def run_cells(node: Any, parameters: Mapping[str, Any], name: str, failed: Path) -> Any:
    """Run a notebook with papermill, in the repository's folder, where it leaves nothing.

    Args:
        node: the notebook.
        parameters: values for the names in its cell tagged `parameters`.
        name: of the notebook, for people.
        failed: the .ipynb file to write if a cell fails.

    Returns:
        The executed notebook.

    Raises:
        NasreproError: with the cell that fails and its error, or if the kernel ends.
    """
    with _folder() as folder:
        written = folder / "notebook.ipynb"
        try:
            return papermill.execute_notebook(
                node,
                written,
                dict(parameters),
                kernel_name=SPEC["name"],
                progress_bar={"desc": name, "disable": None},  # None: unless it is no terminal
                cwd=paths.REPOSITORY,
                start_timeout=PATIENCE,
                iopub_timeout=PATIENCE,
                kernel_manager_class=OwnKernel,
                shutdown_kernel="immediate",  # else it is interrupted, and may complain of that
                config=Config(
                    OwnKernel={
                        "transport": "ipc",  # no open port: sockets beside the connection file
                        "connection_file": str(folder / "kernel.json"),
                    }
                ),
            )
        except PapermillExecutionError as error:
            so_far = written.read_bytes()
            with whole_file(failed, "make room") as file:
                file.write(so_far)
            lines = error.source.strip().splitlines()
            raise NasreproError(
                f"{name}, cell {error.cell_index + 1}, beginning with\n    "
                f"{lines[0] if lines else ''}\nfailed: {error.ename}: {error.evalue}\n"
                f"The traceback is in {failed}."
            ) from None
        except RuntimeError as error:  # also if it ends before it has begun
            raise NasreproError(f"{name}: its kernel died; was memory short? ({error})") from None


@contextmanager
def _folder() -> Iterator[Path]:
    """A temporary folder for what a kernel writes, with a path short enough for its sockets."""
    longest = f"{tempfile.gettempdir()}/nasrepro-12345678/kernel-ipc-5"
    short = None if len(longest.encode()) <= SOCKET_LENGTH else "/tmp"
    with tempfile.TemporaryDirectory(prefix="nasrepro-", dir=short) as folder:
        yield Path(folder)
