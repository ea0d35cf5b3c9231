"""The graph that ComfyUI writes: nodes by their ids, whose inputs are values or other nodes."""

from collections import deque
from collections.abc import Iterator, Mapping

_MAX_NODES = 2000
_TEXT_INPUTS = ("text", "text_g", "clip_l", "t5xxl", "prompt", "string", "value")
_SIMPLE: Mapping[str, tuple[str, ...]] = {
    "seed": ("seed", "noise_seed"),
    "steps": ("steps",),
    "guidance": ("guidance", "cfg"),
    "sampler": ("sampler_name",),
    "model": ("ckpt_name", "unet_name", "model_name"),
}
Inputs = Mapping[str, object]


def read_graph(graph: Mapping[str, object]) -> dict[str, object]:
    """Return prompt, negative prompt, seed, model and so on; nothing where it is no such graph."""
    nodes = _nodes(graph)
    if not nodes:
        return {}
    fields: dict[str, object] = {}
    if prompt := _text_at(nodes, "positive", "guider") or _first_text(nodes):
        fields["prompt"] = prompt
    if negative := _text_at(nodes, "negative"):
        fields["negative_prompt"] = negative
    for name, inputs in _SIMPLE.items():
        value = next(_values(nodes, inputs), None)
        if value is not None:
            fields[name] = value
    return fields | _size(nodes)


def _nodes(graph: Mapping[str, object]) -> dict[str, Inputs]:
    """Return the inputs of each node, with the name of its class."""
    nodes: dict[str, Inputs] = {}
    for name, node in list(graph.items())[:_MAX_NODES]:
        inputs = node.get("inputs") if isinstance(node, dict) else None
        if isinstance(node, dict) and isinstance(inputs, dict) and "class_type" in node:
            nodes[name] = {**inputs, "class_type": str(node["class_type"])}
    return nodes


def _values(nodes: Mapping[str, Inputs], names: tuple[str, ...]) -> Iterator[object]:
    for name in names:
        for inputs in nodes.values():
            if isinstance(inputs.get(name), str | int | float):
                yield inputs[name]


def _text_at(nodes: Mapping[str, Inputs], *names: str) -> str:
    """Return the text that some node's input of one of these names leads to."""
    seen: set[str] = set()
    for name in names:
        for inputs in nodes.values():
            if name in inputs and (text := _followed(nodes, inputs[name], seen)):
                return text
    return ""


def _followed(nodes: Mapping[str, Inputs], value: object, seen: set[str]) -> str:
    """Return the first text behind a link, nearest first; each node is visited once."""
    waiting = deque([value])
    while waiting:
        link = waiting.popleft()
        name = str(link[0]) if isinstance(link, list) and len(link) == 2 else ""
        if name in seen or name not in nodes:
            continue
        seen.add(name)
        inputs = nodes[name]
        if text := _own_text(inputs):
            return text
        waiting.extend(inputs.values())
    return ""


def _own_text(inputs: Inputs) -> str:
    kind = str(inputs["class_type"]).lower()
    if not any(word in kind for word in ("text", "string", "prompt", "primitive")):
        return ""
    texts = (inputs.get(name) for name in _TEXT_INPUTS)
    return next((text for text in texts if isinstance(text, str) and text.strip()), "")


def _first_text(nodes: Mapping[str, Inputs]) -> str:
    return next((text for inputs in nodes.values() if (text := _own_text(inputs))), "")


def _size(nodes: Mapping[str, Inputs]) -> dict[str, object]:
    for inputs in nodes.values():
        width, height = inputs.get("width"), inputs.get("height")
        latent = "latent" in str(inputs["class_type"]).lower()
        if latent and isinstance(width, int) and isinstance(height, int):
            return {"size": f"{width}x{height}"}
    return {}
