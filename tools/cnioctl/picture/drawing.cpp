// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/picture/drawing.hpp"

#include <algorithm>
#include <cstdint>

namespace cnio::cnioctl {
namespace {

// Colours are those of a page that is light, or dark where whoever looks at it has chosen that.
constexpr char kStyle[] = R"(<style>
text{font:13px system-ui,"DejaVu Sans",sans-serif;fill:#1f2328}
text.head{font-size:21px;font-weight:600}
text.name{font-weight:600}
text.mono{font:12px ui-monospace,"DejaVu Sans Mono",monospace}
text.note{fill:#59636e}
text.bad{fill:#b3131d}
text.right{text-anchor:end}
.paper{fill:#ffffff}
.box,.cable{stroke:#7d9bbd;stroke-width:1.3}
.box{fill:#eef4fb}
.cable{fill:none}
.wrong{stroke:#cf222e;stroke-width:1.8}
.box.wrong{fill:#ffebe9}
.stale{stroke:#8c959f;stroke-dasharray:5 3}
.box.stale{fill:#ffffff}
.unknown{stroke:#8c959f;stroke-dasharray:1.5 2.5}
.box.unknown{fill:#f6f8fa}
.cable.many{stroke-width:4}
@media (prefers-color-scheme:dark){
text{fill:#e6edf3}
text.note{fill:#9198a1}
text.bad{fill:#ff9d96}
.paper{fill:#0d1117}
.box,.cable{stroke:#5f83b0}
.box{fill:#14233a}
.cable{fill:none}
.wrong{stroke:#ff6b63}
.box.wrong{fill:#43181b}
.stale,.unknown{stroke:#768390}
.box.stale{fill:#0d1117}
.box.unknown{fill:#161b22}
}
</style>
)";

constexpr int kWidthOf100 = 740;  // of 100 characters, on the average
constexpr int kBoldWidthOf100 = 870;
constexpr int kMonoWidthOf100 = 725;
constexpr char kReplacement[] = "\xEF\xBF\xBD";

bool is_inside_character(char c) { return (c & 0xC0) == 0x80; }

int count_characters(std::string_view text) {
  return static_cast<int>(std::count_if(text.begin(), text.end(), [](char c) { return !is_inside_character(c); }));
}

std::string coordinates(Point at) { return std::to_string(at.x) + " " + std::to_string(at.y); }

// The name of a character that has a meaning in XML.
std::string_view entity(char c) {
  switch (c) {
    case '&':
      return "&amp;";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '"':
      return "&quot;";
    case '\'':
      return "&#39;";
    default:
      return {};
  }
}

// U+FFFE and U+FFFF.
bool is_no_character(std::string_view text) {
  return text.starts_with("\xEF\xBF\xBE") || text.starts_with("\xEF\xBF\xBF");
}

bool is_control(char c) { return static_cast<uint8_t>(c) < 0x20 && c != '\n' && c != '\t'; }

}  // namespace

std::string xml_escaped(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const std::string_view named = entity(text[i]);
    if (is_control(text[i])) {
      out += kReplacement;
    } else if (is_no_character(text.substr(i))) {
      out += kReplacement;
      i += 2;
    } else if (named.empty()) {
      out += text[i];
    } else {
      out += named;
    }
  }
  return out;
}

int text_width(std::string_view text) { return count_characters(text) * kWidthOf100 / 100; }
int bold_width(std::string_view text) { return count_characters(text) * kBoldWidthOf100 / 100; }
int mono_width(std::string_view text) { return count_characters(text) * kMonoWidthOf100 / 100; }

std::string cut_text(std::string_view text, size_t characters) {
  if (count_characters(text) <= static_cast<int>(characters)) return std::string(text);
  size_t end = 0;
  for (size_t left = characters; end < text.size(); ++end) {
    if (!is_inside_character(text[end]) && left-- <= 1) break;
  }
  return std::string(text.substr(0, end)) + "…";
}

void Drawing::text(Point at, std::string_view style, std::string_view content) {
  out_ += "<text x=\"" + std::to_string(at.x) + "\" y=\"" + std::to_string(at.y) + "\" class=\"";
  out_ += style;
  out_ += "\">" + xml_escaped(content) + "</text>\n";
}

void Drawing::box(const Area& area, std::string_view style) {
  out_ += "<rect x=\"" + std::to_string(area.x) + "\" y=\"" + std::to_string(area.y) + "\" width=\"" +
          std::to_string(area.width) + "\" height=\"" + std::to_string(area.height) + "\" rx=\"4\" class=\"box ";
  out_ += style;
  out_ += "\"/>\n";
}

void Drawing::path(std::initializer_list<Stroke> strokes, std::string_view style) {
  out_ += "<path d=\"";
  for (const Stroke& stroke : strokes) {
    out_ += stroke.kind;
    out_ += coordinates(stroke.to);
  }
  out_ += "\" class=\"cable ";
  out_ += style;
  out_ += "\"/>\n";
}

void Drawing::line(Point from, Point to, std::string_view style) { path({{'M', from}, {'L', to}}, style); }

void Drawing::curve(Point from, Point to, std::string_view style) {
  const int half = (from.x + to.x) / 2;
  path({{'M', from}, {'C', {half, from.y}}, {' ', {half, to.y}}, {' ', to}}, style);
}

void Drawing::cross(Point middle) {
  constexpr int kArm = 5;
  const auto [x, y] = middle;
  path({{'M', {x - kArm, y - kArm}},
        {'L', {x + kArm, y + kArm}},
        {'M', {x - kArm, y + kArm}},
        {'L', {x + kArm, y - kArm}}},
       "wrong");
}

void Drawing::open(std::string_view title) { out_ += "<g><title>" + xml_escaped(title) + "</title>\n"; }

std::string Drawing::svg(std::string_view title, int width, int height) const {
  const std::string size = "width=\"" + std::to_string(width) + "\" height=\"" + std::to_string(height) + "\"";
  return "<svg xmlns=\"http://www.w3.org/2000/svg\" " + size + " viewBox=\"0 0 " + coordinates({width, height}) +
         "\">\n<title>" + xml_escaped(title) + "</title>\n" + kStyle + "<rect " + size + " class=\"paper\"/>\n" + out_ +
         "</svg>\n";
}

}  // namespace cnio::cnioctl
