// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "flannel/record.hpp"

#include <cerrno>
#include <fcntl.h>
#include <utility>

#include <nlohmann/json.hpp>

#include "cnio/base/folder.hpp"
#include "cnio/base/list_files.hpp"
#include "cnio/base/sha512.hpp"
#include "cnio/base/unique_fd.hpp"
#include "cnio/base/whole_file.hpp"

namespace cnio::flannel {
namespace {

using protocol::Attachment;
using protocol::Json;

constexpr mode_t kFolderMode = 0700;
constexpr size_t kMaxRecord = size_t{2} * 1024 * 1024;  // more than a configuration can have
constexpr size_t kHashDigits = 16;
constexpr size_t kMaxShownId = 200;  // of a container's id, in a name that has a hash besides
constexpr char kOwner[] = "cnio";

// Could a runtime's DEL name it?
bool is_possible(const Attachment& attachment) {
  const protocol::Environment call({"CNI_COMMAND=DEL", "CNI_PATH=/", "CNI_CONTAINERID=" + attachment.container_id,
                                    "CNI_IFNAME=" + attachment.ifname});
  return protocol::parse_environment(call).ok();
}

// One that no runtime could have called is nobody.
std::optional<Attachment> owner_of(const Json& record) {
  const auto owner = record.find(kOwner);
  if (owner == record.end() || !owner->is_object()) return std::nullopt;
  const protocol::Fields fields(*owner);
  auto container = fields.text("containerID");
  auto ifname = fields.text("ifname");
  if (!container.ok() || !ifname.ok()) return std::nullopt;
  Attachment attachment = {std::move(container).value(), std::move(ifname).value()};
  return is_possible(attachment) ? std::optional(std::move(attachment)) : std::nullopt;
}

// What the files of an attachment can be called.
struct Names {
  std::string shared;  // as the reference has it
  std::string own;
  std::string temporary;  // no container's id begins with a dot
};

Names names_of(const std::string& network, const Attachment& attachment) {
  const std::string& id = attachment.container_id;
  const std::string hash = sha512_hex(network + '\0' + id + '\0' + attachment.ifname, kHashDigits);
  return {id, id.substr(0, kMaxShownId) + "-" + hash, "." + hash + ".new"};
}

// A copy under another name says nothing about that one.
bool is_named_after_owner(const ReadRecord& record, const std::string& name) {
  const Names names = names_of(record.told.network, *record.attachment);
  return name == names.shared || name == names.own || name == names.temporary;
}

std::vector<std::string> file_names(const std::string& folder, ErrorList& unreadable) {
  std::vector<std::string> names;
  const auto opened = open_file(folder, O_RDONLY | O_DIRECTORY);
  if (!opened.ok() && says_absent(opened.error().errnum())) return names;
  if (!opened.ok()) {
    unreadable.collect(opened.error());
    return names;
  }
  unreadable.collect(list_files(opened.value().get(), folder, [&](FileName file) {
    if (file.may_be_regular) names.push_back(std::move(file.name));
  }));
  return names;
}

}  // namespace

std::string format_record(const std::string& config, const Attachment& attachment) {
  auto parsed = protocol::parse_json(config);
  if (!parsed.ok() || !parsed.value().is_object()) return config;
  Json owner = Json::object();
  owner["containerID"] = attachment.container_id;
  owner["ifname"] = attachment.ifname;
  Json record = std::move(parsed).value();
  record[kOwner] = std::move(owner);
  return protocol::compact_json(record);
}

std::optional<ReadRecord> parse_record(std::string text) {
  auto parsed = protocol::parse_json(text);
  if (!parsed.ok() || !parsed.value().is_object()) return std::nullopt;
  Json& record = parsed.value();
  ReadRecord read;
  read.names_owner = record.contains(kOwner);
  read.attachment = owner_of(record);
  if (read.attachment) {
    record.erase(kOwner);
    text = protocol::compact_json(record);
    read.told.ifname = read.attachment->ifname;
  }
  auto delegation = parse_delegation(std::move(text));
  if (!delegation) return std::nullopt;
  read.told.delegation = *std::move(delegation);
  read.told.network = protocol::Fields(record).text("name").value();
  return read;
}

Record::Record(const std::string& folder, const std::string& network, Attachment attachment)
    : attachment_(std::move(attachment)) {
  const Names names = names_of(network, attachment_);
  shared_ = folder + "/" + names.shared;
  own_ = folder + "/" + names.own;
  temporary_ = folder + "/" + names.temporary;
}

Status Record::read(const std::string& path) {
  path_ = path;
  told_.reset();
  CNIO_LET(text_, read_own_file(path, kMaxRecord));
  auto read = text_ ? parse_record(*text_) : std::nullopt;
  const std::string name = path.substr(path.rfind('/') + 1);
  if (read && (!read->attachment || is_named_after_owner(*read, name))) told_ = std::move(read->told);
  return {};
}

// A container has one interface of a name, whatever its network is called by now.
bool Record::is_ours(const std::string& network) const {
  return told_->ifname ? *told_->ifname == attachment_.ifname : told_->network == network;
}

Result<Record> Record::find(const std::string& folder, const std::string& network, const Attachment& attachment) {
  Record record(folder, network, attachment);
  CNIO_TRY(record.read(record.own_));
  if (record.exists()) return record;
  CNIO_TRY(record.read(record.shared_));
  if (!record.told_ || record.is_ours(network)) return record;
  record.path_ = record.own_;
  record.text_.reset();
  record.told_.reset();
  return record;
}

Result<bool> Record::put(const std::string& text, bool replace) const {
  const Putting how = {.if_taken = replace ? IfTaken::kReplace : IfTaken::kLeave, .durable = true};
  auto done = put_whole_file(path_, temporary_, text, how);
  if (done.ok() || done.error().errnum() != ENOENT) return done;
  CNIO_TRY(create_folder(parent_of(path_), kFolderMode));
  return put_whole_file(path_, temporary_, text, how);
}

Status Record::write(const std::string& config) {
  const std::string text = format_record(config, attachment_);
  auto done = put(text, exists());
  // Somebody has taken the name meanwhile, or it is too long for a file.
  const bool refused = done.ok() ? !done.value() : done.error().errnum() == ENAMETOOLONG;
  if (path_ == shared_ && refused) {
    path_ = own_;
    done = put(text, true);
  }
  CNIO_TRY(std::move(done));
  return {};
}

Status Record::put_back() const {
  if (!text_) return remove();
  CNIO_TRY(put(*text_, true));
  return {};
}

Status Record::remove() const {
  ErrorList errors;
  errors.collect(remove_file(path_));
  errors.collect(remove_file(temporary_));
  return errors.status();
}

std::vector<ListedRecord> list_records(const std::string& folder, const std::string& network, ErrorList& unreadable) {
  std::vector<ListedRecord> records;
  for (const std::string& name : file_names(folder, unreadable)) {
    const std::string path = folder + "/" + name;
    const auto text = read_own_file(path, kMaxRecord);
    if (!text.ok()) unreadable.collect(text.error());
    auto read = text.ok() && text.value() ? parse_record(*text.value()) : std::nullopt;
    if (!read || read->told.network != network) continue;
    const bool ours = read->attachment && is_named_after_owner(*read, name);
    const bool believed = ours || !read->names_owner;
    records.push_back(
        {path, ours ? *std::move(read->attachment) : Attachment{name, {}}, std::move(read->told), believed});
  }
  return records;
}

}  // namespace cnio::flannel
