// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cnio/base/ip.hpp"
#include "cnio/base/process.hpp"
#include "cnio/base/result.hpp"
#include "cnio/protocol/request.hpp"

namespace cnio::firewall {

// The iptables program of one family, working on one of its tables. It acts in the calling thread's namespace.
class Iptables {
 public:
  // iptables or ip6tables in PATH. Error: code 7, naming the program and PATH, and the `key` that asks for it.
  static Result<Iptables> find(Family family, const protocol::Environment& environment,
                               std::string_view key = "ipMasqBackend");

  // The program for the old tables of x_tables, if this namespace has such a table and PATH such a program.
  static Result<std::optional<Iptables>> find_legacy(Family family, const protocol::Environment& environment,
                                                     const std::string& table = "nat");

  // Runs it, with `arguments` behind "--table <table> --wait". Error: code 100 with what it says.
  [[nodiscard]] Status run(const std::vector<std::string>& arguments) const;
  // Did it end with exit status 0? Any other is "no": the program tells absence and failure apart by prose alone.
  [[nodiscard]] Result<bool> succeeds(const std::vector<std::string>& arguments) const;
  // Lines of iptables-restore for the table, which all take effect or none. Nothing else in it changes.
  [[nodiscard]] Status restore(const std::string& lines) const;
  // Its output.
  [[nodiscard]] Result<std::string> read(const std::vector<std::string>& arguments) const;

 private:
  Iptables(std::string path, std::vector<std::string> environment, std::string table)
      : path_(std::move(path)), environment_(std::move(environment)), table_(std::move(table)) {}

  [[nodiscard]] Result<ProcessResult> start(const std::vector<std::string>& arguments) const;
  [[nodiscard]] Error failure(const std::vector<std::string>& arguments, const ProcessResult& result) const;

  std::string path_;
  std::vector<std::string> environment_;
  std::string table_;
};

// A line of `iptables -S` as the arguments that it stands for: blanks separate, double quotes hold together, a
// backslash takes the next character as it is.
std::vector<std::string> split_iptables_line(std::string_view line);
// And back.
std::string join_iptables_words(const std::vector<std::string>& words);

}  // namespace cnio::firewall
