// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/picture/svg.hpp"

namespace cnio::cnioctl {
namespace {

// A string of DOT in which nothing has a meaning; a line break is one.
std::string dot_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') out += "\\n";
    if (c != '\n') out += c;
  }
  return out + "\"";
}

std::string text_of(const std::vector<std::string>& lines) {
  std::string out;
  for (const std::string& each : lines) out += (out.empty() ? "" : "\n") + each;
  return out;
}

std::string style_of(Look look) {
  switch (look) {
    case Look::kWell:
      return {};
    case Look::kWrong:
      return ", color=red, fontcolor=red";
    case Look::kStale:
      return ", style=dashed, color=gray40";
    case Look::kUnknown:
      break;
  }
  return ", style=dotted, color=gray40";
}

void node(std::string& out, const std::string& id, const std::string& label, Look look, const std::string& title) {
  out += "  " + id + " [label=" + dot_text(label) + style_of(look);
  if (!title.empty()) out += ", tooltip=" + dot_text(title);
  out += "];\n";
}

void edge(std::string& out, const std::string& from, const std::string& to, Look look) {
  const std::string style = style_of(look);
  out += "  " + from + " -- " + to + (style.empty() ? "" : " [" + style.substr(2) + "]") + ";\n";
}

void row(std::string& out, const SceneRow& row, const std::string& id, const std::string& bridge) {
  std::vector<std::string> lines{row.name};
  if (!row.addresses.empty()) lines.push_back(row.addresses);
  if (!row.trouble.empty()) lines.push_back(row.trouble);
  node(out, id, text_of(lines), row.look, row.title);
  std::string from = id;
  if (!row.host_end.empty()) {
    from += "e";
    node(out, from, row.host_end, row.look, row.title);
    edge(out, id, from, row.look);
  }
  const bool held = !row.host_end.empty() || row.look != Look::kStale;
  if (row.attached && held) edge(out, from, bridge, row.look);
}

}  // namespace

std::string dot_of(const Scene& scene) {
  std::string out = "graph " + dot_text(scene.name) + " {\n  rankdir=LR;\n  node [shape=box];\n  label=" +
                    dot_text(scene.name + "\n" + scene.about + "\n" + text_of(scene.problems)) + ";\n";
  node(out, "forwarding", text_of(scene.forwarding.lines), scene.forwarding.look, scene.forwarding.title);
  node(out, "uplink", text_of(scene.uplink.lines) + "\n" + text_of(scene.routes), scene.uplink.look, {});
  edge(out, "forwarding", "uplink", scene.uplink.look);
  for (size_t i = 0; i < scene.groups.size(); ++i) {
    const SceneGroup& group = scene.groups[i];
    const std::string number = std::to_string(i);
    const std::string bridge = "b" + number;
    node(out, bridge, text_of(group.box.lines), group.box.look, {});
    edge(out, bridge, group.routed ? "forwarding" : "uplink", group.box.look);
    for (size_t k = 0; k < group.rows.size(); ++k) {
      row(out, group.rows[k], "p" + number + "_" + std::to_string(k), bridge);
    }
  }
  return out + "}\n";
}

}  // namespace cnio::cnioctl
