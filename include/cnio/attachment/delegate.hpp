// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "cnio/attachment/network.hpp"
#include "cnio/base/process.hpp"
#include "cnio/base/result.hpp"
#include "cnio/protocol/request.hpp"
#include "cnio/protocol/result.hpp"

namespace cnio::attachment {

// How long a delegate may take.
struct DelegateLimits {
  int call_ms = 100'000;  // longer than any lock that ours wait for, shorter than the kubelet's patience (two minutes)
  int release_ms = 15'000;  // the rest of that patience, for a DEL that undoes an ADD
};

// What a delegate is to the plugin that calls it: for messages.
struct DelegateRole {
  std::string_view kind = "IPAM";         // before the name that its own messages begin with
  std::string_view noun = "IPAM plugin";  // before its type
  std::string_view key = "ipam.type";     // of the configuration, that names it
};

// A plugin that another one hands part of its work to (CNI 1.1.0, section 4): it gets the same environment, but for
// CNI_COMMAND, and the same bytes on stdin. It is executed directly, without a shell.
//
// Errors of all calls: the delegate's own code, message and details, with its name in front; code 101 if it gave none
// that can be read; code 11 if it took too long.
class Delegate {
 public:
  // Looks `type` up in CNI_PATH, by name alone: a type with a path separator, `.` or `..` is refused (code 7), so that
  // no configuration can name a program outside CNI_PATH (CVE-2021-20206). Error: code 101 if no folder holds it.
  static Result<Delegate> find(const protocol::Request& request, const std::string& type,
                               const DelegateLimits& limits = DelegateLimits(),
                               const DelegateRole& role = DelegateRole());

  // An ADD that is under way. REQUIRES: finished, whatever happens meanwhile, since only then is it known whether there
  // is something to undo; the Delegate outlives it.
  class Adding {
   public:
    // The result. If the ADD fails the delegate gets DEL, as the specification asks, unless the attachment exists
    // already, since DEL would then take a living attachment's address: the delegate says so (code 103), or `lives`,
    // which is asked then.
    Result<protocol::AddResult> finish(const std::function<bool()>& lives = [] { return false; });

   private:
    friend class Delegate;
    Adding(const Delegate& delegate, RunningProcess process) : delegate_(&delegate), process_(std::move(process)) {}

    const Delegate* delegate_;
    RunningProcess process_;
  };
  [[nodiscard]] Result<Adding> start_add() const;

  // Runs DEL, within a time that others have left: to take an ADD back that this process has run, or while a link that
  // is to go is kept for it.
  [[nodiscard]] Status release() const;

  // Runs a verb without an answer: DEL, CHECK, STATUS or GC.
  [[nodiscard]] Status run(protocol::Command command) const;

  // A call of such a verb that is to come. The delegate has been started, which takes a while, but waits for its
  // configuration, and so does nothing yet: left behind, it is killed. REQUIRES: the Delegate outlives it.
  class Prepared {
   public:
    Status run();

   private:
    friend class Delegate;
    Prepared(const Delegate& delegate, std::optional<RunningProcess> process, protocol::Command command)
        : delegate_(&delegate), process_(std::move(process)), command_(command) {}

    const Delegate* delegate_;
    std::optional<RunningProcess> process_;  // none if the configuration is too large to be held back
    protocol::Command command_;
  };
  [[nodiscard]] Result<Prepared> prepare(protocol::Command command) const;

  [[nodiscard]] const std::string& type() const { return type_; }

 private:
  Delegate(const protocol::Request& request, std::string type, std::string path, const DelegateLimits& limits,
           const DelegateRole& role)
      : request_(&request), type_(std::move(type)), path_(std::move(path)), limits_(limits), role_(role) {}

  [[nodiscard]] ProcessSpec call_of(protocol::Command command) const;
  [[nodiscard]] Result<protocol::AddResult> settle_add(RunningProcess process,
                                                       const std::function<bool()>& lives) const;
  [[nodiscard]] Result<RunningProcess> start(protocol::Command command) const;
  [[nodiscard]] Result<std::string> finish(RunningProcess process, int timeout_ms) const;
  [[nodiscard]] Result<std::string> execute(protocol::Command command, int timeout_ms) const;
  [[nodiscard]] std::string name() const;
  [[nodiscard]] Error with_name(Error error) const;
  [[nodiscard]] Error failure(const std::string& out, const std::string& err, const std::string& how_it_ended) const;

  const protocol::Request* request_;  // borrowed
  std::string type_;
  std::string path_;
  DelegateLimits limits_;
  DelegateRole role_;
};

// The IPAM plugin of a network; none for layer 2. Errors: those of Delegate::find, and code 7 if DEL or GC cannot read
// which it is.
Result<std::optional<Delegate>> find_ipam(const protocol::Request& request, const Network& network);

// Some IPAM plugins are known to have no use for the link: they work while it is made, and may give the address to
// somebody else once it is gone. All others get the reference's order.
bool works_without_link(const std::string& ipam_type);
// This one says good-bye over the link.
bool releases_over_link(const std::string& ipam_type);

}  // namespace cnio::attachment
