// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/manual/completion.hpp"

#include <algorithm>

namespace cnio::cnioctl {
namespace {

using Verbs = std::vector<VerbWords>;

// In single quotes of bash and zsh.
std::string shell_text(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}
std::string fish_text(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += (c == '\'' || c == '\\' ? std::string("\\") : std::string()) + c;
  return out + "'";
}

std::string joined(const std::vector<std::string>& words, const std::string& with = " ") {
  std::string out;
  for (const std::string& each : words) out += (out.empty() ? "" : with) + each;
  return out;
}

// What every verb takes is the program's own.
std::vector<OptionWords> options_of(const VerbWords& verb, const Verbs& verbs) {
  std::vector<OptionWords> out = verb.options;
  for (const OptionWords& each : verbs.front().options) {
    const auto same = [&](const OptionWords& other) { return other.names == each.names; };
    if (std::none_of(out.begin(), out.end(), same)) out.push_back(each);
  }
  return out;
}

bool takes_files(const VerbWords& verb) {
  return std::any_of(verb.things.begin(), verb.things.end(), [](const OptionWords& each) { return each.is_file; });
}

// "ipam:--state": the option whose value comes next, behind the verb.
std::string places_of(const VerbWords& verb, const OptionWords& option) {
  std::vector<std::string> out;
  for (const std::string& each : option.names) out.push_back(shell_text(verb.name() + ":" + each));
  return joined(out, "|");
}

// The lines of a `case` that leads from verb to verb: '/subnet'|'subnet/check') at=... ;;
std::string path_cases(const Verbs& verbs) {
  std::string out;
  for (const VerbWords& each : verbs) {
    if (each.path.empty()) continue;
    const std::vector<std::string> above(each.path.begin(), each.path.end() - 1);
    out += "      " + shell_text(joined(above) + "/" + each.path.back()) + ") at=" + shell_text(each.name()) + " ;;\n";
  }
  return out;
}

// The lines of a `case` for options that want a value: `choose` is before the known ones, and `files` else.
std::string value_cases(const Verbs& verbs, const std::string& choose, const std::string& files) {
  std::string out;
  for (const VerbWords& verb : verbs) {
    for (const OptionWords& option : options_of(verb, verbs)) {
      if (!option.takes_value) continue;
      std::string act = option.is_file ? files : ":";
      if (!option.choices.empty()) act = choose + " " + shell_text(joined(option.choices));
      out += "    " + places_of(verb, option) + ") " + act + "; return ;;\n";
    }
  }
  return out;
}

std::string bash_cases(const Verbs& verbs) {
  std::string out;
  for (const VerbWords& verb : verbs) {
    std::vector<std::string> words = verb.verbs;
    for (const OptionWords& thing : verb.things) words.insert(words.end(), thing.choices.begin(), thing.choices.end());
    for (const OptionWords& option : options_of(verb, verbs)) {
      words.insert(words.end(), option.names.begin(), option.names.end());
    }
    out += "    " + shell_text(verb.name()) + ") words=" + shell_text(joined(words)) +
           (takes_files(verb) ? " files=yes" : "") + " ;;\n";
  }
  return out;
}

// For _describe: "name:what it is".
std::string described(const std::string& name, const std::string& about) {
  std::string text;
  for (const char c : about) text += (c == ':' ? std::string("\\") : std::string()) + c;
  return shell_text(name + ":" + text);
}

std::string zsh_options(const VerbWords& verb, const Verbs& verbs) {
  std::vector<std::string> out;
  for (const OptionWords& option : options_of(verb, verbs)) {
    for (const std::string& name : option.names) out.push_back(described(name, option.about));
  }
  return joined(out);
}

std::string about_of(const std::vector<std::string>& path, const Verbs& verbs) {
  const auto found = std::find_if(verbs.begin(), verbs.end(), [&](const VerbWords& each) { return each.path == path; });
  return found == verbs.end() ? std::string() : found->about;
}

std::string zsh_verbs(const VerbWords& verb, const Verbs& verbs) {
  std::vector<std::string> out;
  for (const std::string& next : verb.verbs) {
    std::vector<std::string> path = verb.path;
    path.push_back(next);
    out.push_back(described(next, about_of(path, verbs)));
  }
  for (const OptionWords& thing : verb.things) {
    for (const std::string& choice : thing.choices) out.push_back(described(choice, thing.about));
  }
  return joined(out);
}

std::string zsh_cases(const Verbs& verbs) {
  std::string out;
  for (const VerbWords& verb : verbs) {
    out += "    " + shell_text(verb.name()) + ")\n      next=(" + zsh_verbs(verb, verbs) + ")\n      options=(" +
           zsh_options(verb, verbs) + ")" + (takes_files(verb) ? "\n      files=yes" : "") + " ;;\n";
  }
  return out;
}

// When what is typed has got to this verb, and not further.
std::string fish_condition(const VerbWords& verb, const Verbs& verbs) {
  if (verb.path.empty()) return "__fish_use_subcommand";
  std::vector<std::string> seen;
  for (const std::string& each : verb.path) seen.push_back("__fish_seen_subcommand_from " + each);
  std::string out = joined(seen, "; and ");
  if (!verb.verbs.empty()) out += "; and not __fish_seen_subcommand_from " + joined(verb.verbs);
  for (const VerbWords& other : verbs) {  // "check" is no "subnet check"
    const bool longer = other.path.size() > verb.path.size() && other.path.back() == verb.path.back();
    if (longer) out += "; and not __fish_seen_subcommand_from " + other.path.front();
  }
  return out;
}

std::string fish_option(const OptionWords& option) {
  std::string out;
  for (const std::string& each : option.names) {
    out += each.starts_with("--") ? " -l " + each.substr(2) : " -s " + each.substr(1);
  }
  if (option.takes_value) out += option.is_file ? " -r -F" : " -x";
  if (!option.choices.empty()) out += " -a " + fish_text(joined(option.choices));
  return out + " -d " + fish_text(option.about);
}

std::string fish_lines(const VerbWords& verb, const Verbs& verbs) {
  const std::string start = "complete -c cnioctl -n " + fish_text(fish_condition(verb, verbs));
  std::string out;
  for (const std::string& next : verb.verbs) {
    std::vector<std::string> path = verb.path;
    path.push_back(next);
    out += start + " -a " + next + " -d " + fish_text(about_of(path, verbs)) + "\n";
  }
  for (const OptionWords& thing : verb.things) {
    if (thing.is_file) out += start + " -F\n";
    if (!thing.choices.empty()) out += start + " -a " + fish_text(joined(thing.choices)) + "\n";
  }
  for (const OptionWords& option : options_of(verb, verbs)) out += start + fish_option(option) + "\n";
  return out;
}

}  // namespace

std::string bash_completion(const Verbs& verbs) {
  return "# Completes cnioctl in bash: source <(cnioctl completion bash)\n"
         "_cnioctl() {\n"
         "  local at='' words='' files='' word now=${COMP_WORDS[COMP_CWORD]}\n"
         "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
         "    case \"$at/$word\" in\n" +
         path_cases(verbs) +
         "    esac\n"
         "  done\n"
         "  _cnioctl_values() { mapfile -t COMPREPLY < <(compgen -W \"$1\" -- \"$now\"); }\n"
         "  _cnioctl_files() { compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- \"$now\"); }\n"
         "  case \"$at:${COMP_WORDS[COMP_CWORD - 1]}\" in\n" +
         value_cases(verbs, "_cnioctl_values", "_cnioctl_files") +
         "  esac\n"
         "  case \"$at\" in\n" +
         bash_cases(verbs) +
         "  esac\n"
         "  if [[ $files && $now != -* ]]; then _cnioctl_files; else _cnioctl_values \"$words\"; fi\n"
         "}\n"
         "complete -F _cnioctl cnioctl\n";
}

std::string zsh_completion(const Verbs& verbs) {
  return "#compdef cnioctl\n"
         "# Completes cnioctl in zsh: source <(cnioctl completion zsh)\n"
         "_cnioctl() {\n"
         "  local at='' files='' word\n"
         "  local -a next options\n"
         "  for word in \"${(@)words[2,CURRENT-1]}\"; do\n"
         "    case \"$at/$word\" in\n" +
         path_cases(verbs) +
         "    esac\n"
         "  done\n"
         "  _cnioctl_values() { compadd -- ${=1}; }\n"
         "  case \"$at:${words[CURRENT-1]}\" in\n" +
         value_cases(verbs, "_cnioctl_values", "_files") +
         "  esac\n"
         "  case \"$at\" in\n" +
         zsh_cases(verbs) +
         "  esac\n"
         "  (( $#next )) && _describe verb next\n"
         "  _describe -o option options\n"
         "  [[ -z $files ]] || _files\n"
         "}\n"
         "if [[ ${funcstack[1]-} == _cnioctl ]]; then _cnioctl \"$@\"; else compdef _cnioctl cnioctl; fi\n";
}

std::string fish_completion(const Verbs& verbs) {
  std::string out = "# Completes cnioctl in fish: cnioctl completion fish | source\ncomplete -c cnioctl -f\n";
  for (const VerbWords& each : verbs) out += fish_lines(each, verbs);
  return out;
}

}  // namespace cnio::cnioctl
