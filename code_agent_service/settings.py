"""The code agent's settings: where the sandbox comes from, how much a program in it may use, and what is kept."""

from typing import Literal

from pydantic import Field

from shared.settings import FederationSettings, Folder


class Settings(FederationSettings):
    """What the code agent reads beside the common settings."""

    sandbox_runtime: Literal["bubblewrap", "docker"] = Field(
        default="bubblewrap", description="What programs are confined by: bubblewrap, or containers of docker."
    )
    sandbox_allow_weak: bool = Field(
        default=False,
        description="Where bubblewrap does not work, confine programs by Landlock and limits alone, which is weaker.",
    )
    sandbox_image: str = Field(
        default="python:3.11-slim", description="Image of the containers, which has Python; docker only."
    )
    sandbox_container_runtime: str | None = Field(
        default=None, description="Runtime of the containers, such as runsc for gVisor; default: docker's own."
    )
    sandbox_wheels: Folder | None = Field(
        default=None, description="Folder with the wheels that programs may ask for; default: no packages."
    )
    sandbox_bwrap: str = Field(default="bwrap", description="Bubblewrap's program: a path, or a name on the PATH.")
    sandbox_max_runs: int = Field(
        default=2, ge=1, le=64, description="Programs that run at the same time; others wait."
    )
    sandbox_timeout_s: float = Field(default=60.0, gt=0, le=3600, description="Longest run of a program, in seconds.")
    sandbox_cpu_s: float = Field(
        default=30.0, gt=0, le=36000, description="CPU time a program and its children may use together, in seconds."
    )
    sandbox_memory_mb: int = Field(
        default=512,
        ge=64,
        description="Memory a program and its children may use together, in MB; its files not counted.",
    )
    sandbox_processes: int = Field(
        default=64, ge=8, le=4096, description="Processes and threads a program may have at the same time."
    )
    sandbox_open_files: int = Field(
        default=256, ge=32, le=65536, description="Files each process of a program may have open."
    )
    sandbox_disk_mb: int = Field(default=64, ge=1, description="Size of a program's working folder, in MB.")
    sandbox_output_kb: int = Field(
        default=128, ge=1, le=512, description="Output kept of each of stdout and stderr, in KB; the rest is cut."
    )
    sandbox_max_files: int = Field(
        default=20, ge=0, le=100, description="Files handed back from a program's working folder."
    )
    sandbox_files_kb: int = Field(
        default=2048, ge=0, le=2816, description="Size of the files handed back together, in KB; A2A answers hold 4 MB."
    )
    code_max_repairs: int = Field(
        default=3, ge=0, le=10, description="How often the model may mend what it wrote, when that failed."
    )
    code_workspace_mb: int = Field(default=16, ge=1, description="Files kept of one session's jobs, in MB.")
    code_workspaces_mb: int = Field(
        default=512, ge=1, description="Files kept of all sessions' jobs, in MB; the oldest sessions go first."
    )
    code_workspace_h: float = Field(
        default=24.0, gt=0, description="How long a session's files are kept after its last job, in hours."
    )
