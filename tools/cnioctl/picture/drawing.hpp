// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

// What every picture is written with: shapes and texts of SVG. Lengths are in pixels.
namespace cnio::cnioctl {

// For a text or an attribute of XML: what is no character of XML 1.0 becomes U+FFFD.
std::string xml_escaped(std::string_view text);

// How wide a text is, about, in the system's font of 13 pixels, its bold one, and the one of which all characters are
// as wide.
int text_width(std::string_view text);
int bold_width(std::string_view text);
int mono_width(std::string_view text);
// No more than so many characters, with an ellipsis where it is cut.
std::string cut_text(std::string_view text, size_t characters);

struct Point {
  int x = 0;
  int y = 0;
};
struct Area {
  int x = 0;
  int y = 0;
  int width = 0;
  int height = 0;

  [[nodiscard]] int right() const { return x + width; }
  [[nodiscard]] int bottom() const { return y + height; }
  [[nodiscard]] int middle() const { return y + height / 2; }
};

class Drawing {
 public:
  // Names of styles are classes of the style sheet. Texts are escaped here.
  void text(Point at, std::string_view style, std::string_view content);
  void box(const Area& area, std::string_view style);
  void line(Point from, Point to, std::string_view style);
  // Leaves and arrives level.
  void curve(Point from, Point to, std::string_view style);
  void cross(Point middle);
  // What is drawn until `close` has this as its title, which is shown where a pointer rests.
  void open(std::string_view title);
  void close() { out_ += "</g>\n"; }

  // The whole file.
  [[nodiscard]] std::string svg(std::string_view title, int width, int height) const;

 private:
  std::string out_;

  // A command of SVG's path data, and where it leads; ' ' is a further point of the one before.
  struct Stroke {
    char kind = ' ';
    Point to = {};
  };
  void path(std::initializer_list<Stroke> strokes, std::string_view style);
};

}  // namespace cnio::cnioctl
