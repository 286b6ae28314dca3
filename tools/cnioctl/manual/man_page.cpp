// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/manual/man_page.hpp"

#include <utility>

namespace cnio::cnioctl {
namespace {

constexpr char kHead[] =
    ".\\\" Made by scripts/lib/man-pages: what is changed here is lost.\n"
    ".TH CNIOCTL 8 \"\" cnio \"cnio\"\n"
    ".SH NAME\ncnioctl \\- looks at a node's pod network, and acts only when told\n";

constexpr char kAbout[] =
    ".SH DESCRIPTION\n"
    "Reads what plugins, runtimes and the kernel know of a node's pods, and says it. It needs no daemon and no "
    "runtime,\n"
    "and works while that is down. Only\n.BR gc ,\n.B resync\nand\n.B subnet write\nchange anything, and these can "
    "say\n"
    "first what they would do.\n.PP\n"
    "What it prints for people may change. With\n.B \\-\\-json\nthere is one object with the member\n"
    ".BR \\(dqschema\\(dq ,\nwhose keys are only ever added.\n";

constexpr char kTail[] =
    ".SH FILES\n"
    ".TP\n.I /etc/cni/net.d\nnetworks\n"
    ".TP\n.I /var/lib/cni/networks\nreservations of host\\-local\n"
    ".TP\n.I /var/lib/cni/results\nwhat runtimes remember of each ADD\n"
    ".TP\n.I /run/cnio\nwhat the plugins remember of it\n"
    ".SH SEE ALSO\n.BR cnio\\-bridge (8),\n.BR cnio\\-host\\-local (8),\n.BR nft (8),\n.BR ip (8)\n";

constexpr std::pair<const char*, const char*> kExits[] = {
    {"0", "well, or done"},
    {"1", "something was found: something wrong, stale, missing, or not removed"},
    {"2", "a wrong option, or a file that is none of its kind"},
    {"3", "it could not look everywhere; what is in the way is on standard error"},
    {"4", "the plan is out of date, and nothing was changed"},
    {"5", "there is no such thing"}};

// What roff takes for its own is none of it.
std::string roff(const std::string& text) {
  std::string out = text.starts_with('.') || text.starts_with('\'') ? "\\&" : "";
  for (const char c : text) {
    if (c == '-' || c == '\\') out += '\\';
    out += c == '\\' ? 'e' : c;
  }
  return out;
}

// "-o, --output FILE".
std::string spelling(const OptionWords& option) {
  std::string out;
  for (const std::string& each : option.names) out += (out.empty() ? "\\fB" : ", \\fB") + roff(each) + "\\fR";
  if (!option.takes_value) return out;
  std::string value;
  for (const std::string& each : option.choices) value += (value.empty() ? "\\fB" : "|\\fB") + roff(each) + "\\fR";
  return out + " " + (value.empty() ? std::string("\\fI").append(roff(option.value)).append("\\fR") : value);
}

std::string entry(const std::string& spelled, const OptionWords& option) {
  const std::string preset = option.preset.empty() ? "" : " (without it: " + roff(option.preset) + ")";
  return ".TP\n" + spelled + "\n" + roff(option.about) + preset + "\n";
}

std::string usage(const VerbWords& verb) {
  std::string out = ".SS \\fB" + roff(verb.name()) + "\\fR";
  for (const OptionWords& thing : verb.things) {
    const std::string name = "\\fI" + thing.names.front() + "\\fR" + (thing.many ? "..." : "");
    out += thing.required ? " " + name : " [" + name + "]";
  }
  return out + "\n" + roff(verb.about) + "\n";
}

std::string section(const VerbWords& verb) {
  std::string out = usage(verb);
  for (const OptionWords& thing : verb.things) out += entry("\\fI" + thing.names.front() + "\\fR", thing);
  for (const OptionWords& option : verb.options) out += entry(spelling(option), option);
  return out;
}

}  // namespace

std::string man_page(const std::vector<VerbWords>& verbs) {
  std::string out = kHead;
  out += ".SH SYNOPSIS\n.B cnioctl\n[\\fIoptions\\fR] \\fIverb\\fR [\\fIarguments\\fR]\n";
  out += kAbout;
  out += ".SH OPTIONS\n";
  for (const OptionWords& each : verbs.front().options) out += entry(spelling(each), each);
  out += ".SH VERBS\n";
  for (const VerbWords& each : verbs) {
    if (!each.path.empty() && each.verbs.empty()) out += section(each);
  }
  out += ".SH EXIT STATUS\n";
  for (const auto& [status, meaning] : kExits) out += std::string(".TP\n.B ") + status + "\n" + meaning + "\n";
  return out + kTail;
}

}  // namespace cnio::cnioctl
