// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/picture/svg.hpp"

#include <algorithm>

#include "cnioctl/picture/drawing.hpp"

namespace cnio::cnioctl {
namespace {

constexpr int kMargin = 28;
constexpr int kPadding = 12;    // between a box and what is in it
constexpr int kBaseline = 15;   // of a line of text, from its top
constexpr int kLine = 18;       // from one line of text to the next
constexpr int kHead = 58;       // name of the node, and what is said of it
constexpr int kBoxHeight = 22;  // of a row with one line
constexpr int kRowGap = 5;
constexpr int kGroupGap = 26;
constexpr int kCable = 44;          // between columns
constexpr int kTrunk = 90;          // between bridges and the node
constexpr int kNarrowest = 120;     // a box of several lines
constexpr size_t kNameLength = 44;  // in characters; longer ones are cut
constexpr size_t kAddressesLength = 58;
constexpr size_t kTroubleLength = 78;
constexpr size_t kLineLength = 44;

// Where the columns are.
struct Columns {
  Area pods;  // only across
  Area ends;
  Area bridges;
  Area node;
  [[nodiscard]] int right() const { return node.right() + kMargin; }
};

int rows_height(const SceneRow& row) { return kBoxHeight + (row.trouble.empty() ? 0 : kLine); }

// A long line is continued where a comma lets it.
std::vector<std::string> wrapped(const std::vector<std::string>& lines) {
  std::vector<std::string> out;
  for (std::string rest : lines) {
    while (rest.size() > kLineLength) {
      const size_t comma = rest.rfind(", ", kLineLength);
      if (comma == std::string::npos) break;
      out.push_back(rest.substr(0, comma + 1));
      rest.erase(0, comma + 2);
    }
    out.push_back(cut_text(rest, kLineLength));
  }
  return out;
}

int lines_width(const std::vector<std::string>& lines) {
  int width = kNarrowest;
  for (const std::string& each : wrapped(lines)) width = std::max(width, text_width(each) + 2 * kPadding);
  return width;
}
int lines_height(const std::vector<std::string>& lines) {
  return static_cast<int>(wrapped(lines).size()) * kLine + kPadding;
}

Columns columns_of(const Scene& scene) {
  int name = 0;
  int addresses = 0;
  int trouble = 0;
  int end = 0;
  int bridge = kNarrowest;
  for (const SceneGroup& group : scene.groups) {
    bridge = std::max(bridge, lines_width(group.box.lines));
    for (const SceneRow& row : group.rows) {
      name = std::max(name, bold_width(cut_text(row.name, kNameLength)));
      addresses = std::max(addresses, mono_width(cut_text(row.addresses, kAddressesLength)));
      trouble = std::max(trouble, text_width(cut_text(row.trouble, kTroubleLength)));
      end = std::max(end, mono_width(row.host_end));
    }
  }
  Columns out;
  out.pods = {kMargin, 0, std::max({name + addresses + 3 * kPadding, trouble + 2 * kPadding, kNarrowest}), 0};
  out.ends = {out.pods.right() + kCable, 0, end == 0 ? 0 : end + 2 * kPadding, 0};
  out.bridges = {out.ends.right() + (end == 0 ? 0 : kCable), 0, bridge, 0};
  out.node = {out.bridges.right() + kTrunk, 0, 0, 0};
  for (const auto* lines : {&scene.forwarding.lines, &scene.uplink.lines, &scene.routes}) {
    out.node.width = std::max(out.node.width, lines_width(*lines));
  }
  return out;
}

class Picture {
 public:
  explicit Picture(const Scene& scene) : scene_(scene), columns_(columns_of(scene)) {}

  std::string draw() {
    const int top = draw_head();
    const Area forwarding = area_of(scene_.forwarding, top);
    const Area uplink = area_of(scene_.uplink, forwarding.bottom() + kCable);
    int y = top;
    for (const SceneGroup& group : scene_.groups) y = draw_group(group, y, forwarding, uplink) + kGroupGap;
    const int bottom = std::max(draw_node(forwarding, uplink), y - kGroupGap);
    return drawing_.svg(scene_.name, width(), draw_legend(bottom + kGroupGap) + kMargin);
  }

 private:
  [[nodiscard]] int width() const { return std::max(columns_.right(), kLegendWidth + 2 * kMargin); }
  [[nodiscard]] Area area_of(const SceneBox& box, int top) const {
    return {columns_.node.x, top, columns_.node.width, lines_height(box.lines)};
  }

  // Name and problems. Gives where the rest begins.
  int draw_head() {
    drawing_.text({kMargin, kMargin + kBaseline}, "head", cut_text(scene_.name, kLineLength));
    drawing_.text({kMargin, kMargin + kBaseline + kLine + 2}, "note", scene_.about);
    int y = kMargin + kHead;
    const auto most = static_cast<size_t>((width() - 2 * kMargin) / text_width("x"));
    for (const std::string& each : scene_.problems) {
      drawing_.text({kMargin, y}, "bad", cut_text(each, most));
      y += kLine;
    }
    y += kRowGap;
    caption(columns_.pods, y, "pods");
    if (columns_.ends.width != 0) caption(columns_.ends, y, "host ends");
    caption(columns_.bridges, y, "bridges and networks");
    caption(columns_.node, y, "node");
    return y + kPadding;
  }
  void caption(const Area& column, int y, std::string_view text) { drawing_.text({column.x, y}, "note", text); }

  void draw_lines(const Area& area, const std::vector<std::string>& lines) {
    int y = area.y + kPadding / 2 + kBaseline - 1;
    std::string_view style = "name";
    for (const std::string& each : wrapped(lines)) {
      drawing_.text({area.x + kPadding, y}, style, each);
      style = "";
      y += kLine;
    }
  }
  void draw_box(const Area& area, const SceneBox& box) {
    drawing_.open(box.title.empty() ? box.lines.front() : box.title);
    drawing_.box(area, to_string(box.look));
    draw_lines(area, box.lines);
    drawing_.close();
  }

  // Gives its bottom.
  int draw_group(const SceneGroup& group, int top, const Area& forwarding, const Area& uplink) {
    int rows = -kRowGap;
    for (const SceneRow& row : group.rows) rows += rows_height(row) + kRowGap;
    const Area bar{columns_.bridges.x, top, columns_.bridges.width, std::max(rows, lines_height(group.box.lines))};
    const bool stopped = group.routed && scene_.forwarding.look == Look::kWrong;
    const Area& to = group.routed ? forwarding : uplink;
    drawing_.curve({bar.right(), top + kBoxHeight / 2}, {to.x, to.middle()},
                   to_string(stopped ? Look::kWrong : group.box.look));
    int y = top;
    for (const SceneRow& row : group.rows) {
      draw_row(row, y);
      y += rows_height(row) + kRowGap;
    }
    draw_box(bar, group.box);
    return bar.bottom();
  }

  void draw_row(const SceneRow& row, int y) {
    const Area pod{columns_.pods.x, y, columns_.pods.width, rows_height(row)};
    draw_cables(row, pod);
    drawing_.open(row.title);
    drawing_.box(pod, to_string(row.look));
    drawing_.text({pod.x + kPadding, y + kBaseline}, "name", cut_text(row.name, kNameLength));
    drawing_.text({pod.right() - kPadding, y + kBaseline}, "mono right", cut_text(row.addresses, kAddressesLength));
    if (!row.trouble.empty()) {
      drawing_.text({pod.x + kPadding, y + kBaseline + kLine}, row.look == Look::kWrong ? "bad" : "note",
                    cut_text(row.trouble, kTroubleLength));
    }
    drawing_.close();
    if (!row.host_end.empty()) draw_end(row, pod);
  }

  void draw_end(const SceneRow& row, const Area& pod) {
    const Area end{columns_.ends.x, pod.middle() - kBoxHeight / 2, columns_.ends.width, kBoxHeight};
    drawing_.open(row.title);
    drawing_.box(end, to_string(row.look));
    drawing_.text({end.x + kPadding, end.y + kBaseline}, "mono", row.host_end);
    drawing_.close();
  }

  // What has no host end has no cable, but for the many that one box stands for, and pods that need none.
  void draw_cables(const SceneRow& row, const Area& pod) {
    const Point from{pod.right(), pod.middle()};
    const Point to{columns_.bridges.x, pod.middle()};
    if (row.host_end.empty() && row.look == Look::kStale) return;
    const std::string style = std::string(to_string(row.look)) + (row.many ? " many" : "");
    if (row.attached) return drawing_.line(from, to, style);
    const Point loose{to.x - kCable / 2, to.y};
    drawing_.line(from, loose, style);
    drawing_.cross(loose);
  }

  // Forwarding, below it the uplink, and where it leads. Gives the bottom.
  int draw_node(const Area& forwarding, const Area& uplink) {
    drawing_.line({forwarding.x + kCable, forwarding.bottom()}, {forwarding.x + kCable, uplink.y},
                  to_string(scene_.uplink.look));
    draw_box(forwarding, scene_.forwarding);
    draw_box(uplink, scene_.uplink);
    if (scene_.routes.empty()) return uplink.bottom();
    int y = uplink.bottom() + kCable / 2 + kBaseline;
    drawing_.text({uplink.x, y}, "note", "routes");
    for (const std::string& each : wrapped(scene_.routes)) drawing_.text({uplink.x, y += kLine}, "", each);
    return y;
  }

  // Gives its bottom.
  int draw_legend(int y) {
    int x = kMargin;
    for (const auto& [look, text] : kLegend) {
      drawing_.box({x, y, kSample, kBaseline}, to_string(look));
      drawing_.text({x + kSample + kPadding / 2, y + kBaseline - 3}, "note", text);
      x += kSample + kPadding * 2 + text_width(text);
    }
    return y + kBaseline;
  }

  static constexpr std::pair<Look, const char*> kLegend[] = {{Look::kWell, "well"},
                                                             {Look::kWrong, "wrong"},
                                                             {Look::kStale, "stale: its pod is gone"},
                                                             {Look::kUnknown, "nothing tells whether it lives"}};
  static constexpr int kSample = 26;
  static constexpr int kLegendWidth = 660;

  const Scene& scene_;
  Columns columns_;
  Drawing drawing_;
};

}  // namespace

std::string svg_of(const Scene& scene) { return Picture(scene).draw(); }

}  // namespace cnio::cnioctl
