// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cnio/attachment/driver.hpp"
#include "cnio/base/result.hpp"
#include "cnio/base/rollback.hpp"
#include "cnio/protocol/request.hpp"
#include "cnio/protocol/result.hpp"

// What every plugin does whose interface is one end of a veth pair, in the order in which it has to be done.
namespace cnio::attachment {

// CNI 1.1.0, section 2, ADD: all of it, or nothing (`undo`). Errors: code 4, 100, 101, 103, 11, and those of the IPAM
// plugin. The driver is `kept` for the undo.
Result<protocol::AddResult> add(const protocol::Request& request, const std::shared_ptr<Driver>& kept, Rollback& undo);

// The driver of a request's configuration, of which DEL and GC want nothing: what cannot be read is as good as absent.
using MakeDriver = std::function<Result<std::unique_ptr<Driver>>(const protocol::Request&)>;

// DEL: all that is left of the attachment goes, whatever has become of its sandbox, its network's name and its
// configuration. What cannot be removed is reported after all the rest. Errors: code 100, 101, 7.
Status del(const protocol::Request& request, const MakeDriver& make_driver);

// GC: the same of all attachments of the network that are not valid. Error: code 103 if a link may be one of theirs and
// does not say so; then no address is released.
Status gc(const protocol::Request& request, const MakeDriver& make_driver);

// STATUS: the IPAM plugin is asked while `rehearse` finds out whether the kernel and the host have what an ADD needs. A
// failure that makes ADD impossible is code 50, unless it is 51 already.
Status status(const protocol::Request& request, const Network& network, const std::function<Status()>& rehearse);

// Links, addresses and routes with prevResult.
using Compare = std::function<Status(net::Netlink& host, net::Sandbox& sandbox, const protocol::AddResult& prev)>;

// CHECK, but for the links: the IPAM plugin is asked, then `compare`, then the rules of masquerading.
Status check(const protocol::Request& request, const Network& network, const Compare& compare);

// REPAIR: protocol::Plugin::repair has what it promises. Where `compare` or the rules of masquerading find a
// difference, the driver makes the host's side again, and the rules. Errors: code 103 if the pair is gone, for which
// the pod has to be made anew, or if the host's end of it may be somebody else's; else those of CHECK and ADD.
Result<std::string> repair(const protocol::Request& request, Driver& driver, const Compare& compare);

// For STATUS: can this kernel make links of these kinds? Error: code 100.
Status require_kinds(net::Netlink& host, const std::vector<std::string>& kinds);

// An interface's entry in a result.
protocol::Interface entry_of(const net::Link& link, std::string sandbox = {});

}  // namespace cnio::attachment
