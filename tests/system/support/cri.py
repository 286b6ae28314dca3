# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
"""A small client of the Container Runtime Interface: it makes the calls that the kubelet makes."""
import dataclasses
import os
import pathlib
import tempfile
import types
import uuid
from typing import Any

os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")  # our children exec at once; handlers would only warn
import grpc  # noqa: E402  (reads the environment)
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory  # noqa: E402
from grpc_tools import protoc  # noqa: E402

from support import world  # noqa: E402

SECONDS = 120  # for one call; only a runtime that hangs needs as long
CHANNEL_OPTIONS = [("grpc.initial_reconnect_backoff_ms", 50), ("grpc.min_reconnect_backoff_ms", 50),
                   ("grpc.max_reconnect_backoff_ms", 200)]


def _compiled() -> Any:
    """The description as a descriptor. Not as Python code, because Debian's compiler makes such as its own version of
    the library wants it, and the library that is installed is newer."""
    source = pathlib.Path(__file__).with_suffix(".proto")
    with tempfile.NamedTemporaryFile() as output:
        status = protoc.main(["protoc", f"-I{source.parent}", f"--descriptor_set_out={output.name}", str(source)])
        if status != 0:
            raise AssertionError(f"{source}: does not compile")
        files = descriptor_pb2.FileDescriptorSet.FromString(pathlib.Path(output.name).read_bytes())
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(files.file[0].SerializeToString())
    return pool.FindFileByName(files.file[0].name)


def _message_classes(description: Any) -> types.SimpleNamespace:
    factory = message_factory.MessageFactory(description.pool)
    return types.SimpleNamespace(**{name: factory.GetPrototype(message)
                                    for name, message in description.message_types_by_name.items()})


DESCRIPTION = _compiled()
messages = _message_classes(DESCRIPTION)
SANDBOX_READY = DESCRIPTION.enum_types_by_name["PodSandboxState"].values_by_name["SANDBOX_READY"].number


def _stub(channel: grpc.Channel, service: str) -> types.SimpleNamespace:
    """An object with a callable for each method of the service."""
    description = DESCRIPTION.services_by_name[service]
    return types.SimpleNamespace(**{method.name: channel.unary_unary(
        f"/{description.full_name}/{method.name}",
        request_serializer=lambda request: request.SerializeToString(),
        response_deserializer=getattr(messages, method.output_type.name).FromString,
    ) for method in description.methods})


class Refused(AssertionError):
    """What the runtime answered instead of doing what it was asked: its own error text."""


@dataclasses.dataclass(frozen=True)
class Pod:
    """A pod sandbox: what the runtime knows it by, and the configuration it was made from."""
    id: str
    config: Any

    @property
    def name(self) -> str:
        return self.config.metadata.name


class Cri:
    """Calls to the runtime that listens at `socket`, whether it does so already or not yet."""

    def __init__(self, socket: str, image: str) -> None:
        self._channel = grpc.insecure_channel(f"unix://{socket}", options=CHANNEL_OPTIONS)
        self._runtime = _stub(self._channel, "RuntimeService")
        self._images = _stub(self._channel, "ImageService")
        self._image = messages.ImageSpec(image=image)

    def close(self) -> None:
        self._channel.close()

    def is_serving(self) -> bool:
        """False also while the runtime starts, listens already, and refuses every call."""
        try:
            call = self._runtime.Version.future(messages.VersionRequest(), timeout=2, wait_for_ready=True)
            return bool(_result(call).runtime_name)
        except Refused:
            return False

    def network_status(self) -> Any:
        """The condition NetworkReady: status, reason, message."""
        conditions = _answer(self._runtime.Status, messages.StatusRequest()).status.conditions
        return next(condition for condition in conditions if condition.type == "NetworkReady")

    def status_info(self) -> dict[str, str]:
        return dict(_answer(self._runtime.Status, messages.StatusRequest(verbose=True)).info)

    def tell_subnets(self, *subnets: str) -> None:
        """As the kubelet hands on its node's podCIDRs."""
        network = messages.NetworkConfig(pod_cidr=",".join(subnets))
        _answer(self._runtime.UpdateRuntimeConfig,
                messages.UpdateRuntimeConfigRequest(runtime_config=messages.RuntimeConfig(network_config=network)))

    def has_image(self) -> bool:
        return bool(_answer(self._images.ImageStatus, messages.ImageStatusRequest(image=self._image)).image.id)

    def start_pods(self, names: list[str], **more: Any) -> list[Any]:
        """Asks for all of them at once; returns what pods_of() takes. `more` goes into each one's configuration."""
        requests = [messages.RunPodSandboxRequest(config=_pod_config(name, **more)) for name in names]
        return [(request.config, self._runtime.RunPodSandbox.future(request, timeout=SECONDS)) for request in requests]

    @staticmethod
    def pods_of(started: list[Any]) -> list[Pod]:
        return [Pod(_result(call).pod_sandbox_id, config) for config, call in started]

    def run_pods(self, names: list[str]) -> list[Pod]:
        return self.pods_of(self.start_pods(names))

    def run_pod(self, name: str, **more: Any) -> Pod:
        return self.pods_of(self.start_pods([name], **more))[0]

    def pod_status(self, pod: Pod) -> Any:
        return _answer(self._runtime.PodSandboxStatus, messages.PodSandboxId(pod_sandbox_id=pod.id)).status

    def address_of(self, pod: Pod) -> str:
        return self.pod_status(pod).network.ip

    def is_ready(self, pod: Pod) -> bool:
        return self.pod_status(pod).state == SANDBOX_READY

    def listed_pods(self) -> list[str]:
        return [item.id for item in _answer(self._runtime.ListPodSandbox, messages.Nothing()).items]

    def stop_pods(self, ids: list[str]) -> None:
        self._for_all(self._runtime.StopPodSandbox, ids)

    def remove_pods(self, ids: list[str]) -> None:
        """Stops and removes them, all at once, in the kubelet's order."""
        self.stop_pods(ids)
        self._for_all(self._runtime.RemovePodSandbox, ids)

    def run_container(self, pod: Pod, name: str, *command: str) -> str:
        config = messages.ContainerConfig(metadata=messages.ContainerMetadata(name=name), image=self._image,
                                          command=command, log_path=f"{name}.log")
        request = messages.CreateContainerRequest(pod_sandbox_id=pod.id, config=config, sandbox_config=pod.config)
        container = _answer(self._runtime.CreateContainer, request)
        _answer(self._runtime.StartContainer, container)
        return container.container_id

    def execute(self, container: str, *command: str) -> str:
        """What the command prints in the container; AssertionError if it fails."""
        request = messages.ExecSyncRequest(container_id=container, cmd=command, timeout=30)
        answer = _answer(self._runtime.ExecSync, request)
        if answer.exit_code != 0:
            raise AssertionError(f"{' '.join(command)}: status {answer.exit_code}: {answer.stderr.decode()}")
        return answer.stdout.decode()

    @staticmethod
    def _for_all(method: Any, ids: list[str]) -> None:
        calls = [method.future(messages.PodSandboxId(pod_sandbox_id=one), timeout=SECONDS) for one in ids]
        for call in calls:
            _result(call)


def _pod_config(name: str, **more: Any) -> Any:
    metadata = messages.PodSandboxMetadata(name=name, uid=str(uuid.uuid4()), namespace="default")
    linux = messages.LinuxPodSandboxConfig(cgroup_parent=world.cgroup_parent())
    return messages.PodSandboxConfig(metadata=metadata, hostname=name, log_directory=f"/run/log/pods/{name}",
                                     linux=linux, **more)


def _answer(method: Any, request: Any) -> Any:
    return _result(method.future(request, timeout=SECONDS))


def _result(call: Any) -> Any:
    try:
        return call.result()
    except grpc.RpcError as error:
        raise Refused(error.details()) from None
