// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace cnio {

// Error codes as a CNI error object carries them: 1 to 99 are the specification's (CNI 1.1.0, section 5, "Error"),
// 100 and up are ours and documented in docs/errors.md.
enum class Code : unsigned {
  kIncompatibleVersion = 1,
  kUnsupportedField = 2,
  kUnknownContainer = 3,
  kInvalidEnvironment = 4,
  kIo = 5,
  kDecode = 6,
  kInvalidConfig = 7,
  kOwnSandbox = 8,  // CNI_NETNS is the plugin's own namespace; the reference's library uses 8 for this too
  kTryAgain = 11,
  kNotAvailable = 50,
  kLimited = 51,
  kKernel = 100,       // the kernel refused an operation
  kDelegate = 101,     // a delegate gave no usable answer
  kNoAddress = 102,    // no address to give: range exhausted, or the requested address is taken
  kConflict = 103,     // something that is in the way exists already
  kCheckFailed = 104,  // CHECK found a difference
  kInternal = 999,
};

// One failure: a code, a one-line message that names the object and the cause, and optionally details that say what to
// look at. Made only by the named makers; outer levels add clauses with `context` and keep the code, but for STATUS.
class Error {
 public:
  // `msg` reads "<what was being done>: <why it failed>", lower case, no final period.
  static Error make(Code code, std::string msg, std::string details = {});
  // A system call failed: appends the text of `errnum`, e.g. "open /run/x: No such file or directory".
  // The number must be taken from errno at once after the call and passed in.
  static Error sys(std::string_view operation, int errnum, Code code = Code::kIo);
  // An invalid configuration value (code 7): `invalid configuration: key "mtu": must not be negative (got -1)`.
  static Error config(std::string_view key, std::string_view why);

  // Adds one clause in front: error.context("configure eth0") gives "configure eth0: <msg>".
  [[nodiscard]] Error context(std::string_view clause) &&;
  // Adds what the failing side said, in parentheses behind the message.
  [[nodiscard]] Error note(std::string_view text) &&;
  // Adds a hint to the details; hints are joined by "; ".
  [[nodiscard]] Error hint(std::string_view text) &&;
  // What keeps ADD from working, as STATUS answers it: under code 50 (CNI 1.1.0, section 5, "Error").
  [[nodiscard]] Error unavailable() &&;

  [[nodiscard]] Code code() const { return code_; }
  [[nodiscard]] const std::string& msg() const { return msg_; }
  [[nodiscard]] const std::string& details() const { return details_; }
  // The errno behind the failure, positive, or 0 if there is none.
  [[nodiscard]] int errnum() const { return errnum_; }

 private:
  Error(Code code, std::string msg, std::string details, int errnum)
      : code_(code), msg_(std::move(msg)), details_(std::move(details)), errnum_(errnum) {}

  Code code_;
  std::string msg_;
  std::string details_;
  int errnum_;
};

// The text of an errno value, without touching locales.
std::string errno_text(int errnum);

// `text` on one line, whatever paths and names in it hold: control characters are escaped.
std::string one_line(std::string_view text);

// `text` in double quotes with control characters, quotes and backslashes escaped, for messages that show user input;
// cut with "..." after `limit` bytes, so that a message stays one readable line.
std::string quote(std::string_view text, size_t limit = 128);

}  // namespace cnio
