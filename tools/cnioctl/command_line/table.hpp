// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cnioctl/report.hpp"

// What can be said on the command line, as data: by it words are parsed, and from it --help, the manual page and the
// completions are made, none of which so can know less or more than the program.
namespace cnio::cnioctl {

struct Line;  // line.hpp

enum class Kind {
  kFlag,    // bool: it is there, or not
  kText,    // std::string, said once
  kNumber,  // uint64_t, said once
  kTexts,   // std::vector<std::string>, as often as wanted
};

// Where in a Line it goes: field.hpp makes these.
struct Field {
  Kind kind = Kind::kFlag;
  // False: that is no number. The text of a flag says nothing.
  bool (*put)(Line& line, const std::string& text) = nullptr;
  // What is there before anything is said; empty: nothing.
  std::string (*preset)(const Line& line) = nullptr;
};

enum class Need {
  kFree,
  kRequired,
  kOneOf,      // of those of the verb that are marked so, exactly one
  kAtMostOne,  // of those that are marked so
};

// Values that are files, or folders: shells complete them.
inline constexpr char kFile[] = "FILE";
inline constexpr char kFolder[] = "DIR";
// Likewise: a verb of the program.
inline constexpr char kVerbName[] = "VERB";

// An option; or a thing, which is said without a dash, and whose name is in capitals.
struct Option {
  char letter = 0;           // 'o' of -o; 0: it has none
  const char* name = "";     // "output" of --output; "POD"
  const char* value = "";    // what the value is called in --help; of a flag empty
  const char* choices = "";  // "none|vxlan|wireguard"; empty: whatever it is
  const char* about = "";
  Need need = Need::kFree;
  bool commas = false;  // several in one value, as in "a,b"
  bool ends = false;    // nothing behind it counts, nor what is missing
  Field to = {};

  [[nodiscard]] bool is_thing() const { return *name >= 'A' && *name <= 'Z'; }
  [[nodiscard]] bool takes_value() const { return to.kind != Kind::kFlag; }
  [[nodiscard]] bool is_file() const;
  // "--output"; "POD".
  [[nodiscard]] std::string text() const;
  // "none", "vxlan", "wireguard".
  [[nodiscard]] std::vector<std::string> choices_list() const;
};

struct Verb {
  const char* path = "";  // "subnet check"
  const char* about = "";
  std::array<std::span<const Option>, 2> options = {};  // one list after the other; what many take is one of them
  Outcome (*run)(Line& line) = nullptr;                 // nothing: it only leads to its own verbs
  bool colours = false;                                 // what it prints is for people, and nothing else
  bool hidden = false;                                  // for scripts of ours

  // "check" of "subnet check"; "subnet" before it, or nothing.
  [[nodiscard]] std::string_view name() const;
  [[nodiscard]] std::string_view above() const;
};

struct CommandLine {
  const char* about = "";
  std::span<const Option> options;  // said before the verb or behind it
  std::vector<Verb> verbs;          // each before its own
};

// Nothing if there is none.
const Verb* find_verb(const CommandLine& all, std::string_view path);
// "check" behind "subnet", or behind no verb. Nothing if there is none.
const Verb* next_verb(const CommandLine& all, const Verb* above, std::string_view word);
// Those that can come next, but for hidden ones. Of no verb: those of the program.
std::vector<const Verb*> verbs_below(const CommandLine& all, const Verb* verb);
// What is its own, things too. Of no verb: what the program takes.
std::vector<const Option*> options_of(const CommandLine& all, const Verb* verb);
// "cnioctl subnet check"; of no verb "cnioctl".
std::string name_of(const Verb* verb);

// Digits, and nothing else; false if it is none, or too great a one.
bool read_number(const std::string& text, uint64_t& to);

}  // namespace cnio::cnioctl
