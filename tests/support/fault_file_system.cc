#include "tests/support/fault_file_system.h"

#include <algorithm>
#include <utility>

#include "core/text/status_macros.h"
#include "core/text/strings.h"
#include "tests/support/fault_disk.h"

namespace tally::storage {
namespace {

absl::Status CrashError() { return absl::DataLossError("the machine has crashed (injected)"); }

}  // namespace

class FaultFileSystem::File final : public WritableFile {
 public:
  File(FaultFileSystem& fs, NodePtr node)
      : fs_(fs), node_(std::move(node)), epoch_(fs.epoch_), size_bytes_(node_->bytes.size()) {}

  absl::Status Append(std::string_view bytes) override {
    const std::lock_guard<std::mutex> lock(fs_.mutex_);
    TALLY_RETURN_IF_ERROR(CheckEpoch());
    // The bytes are copied, because after a crash the call in flight may be completed by Reboot.
    const auto append = [node = node_](const std::string& some) {
      FaultDisk::Append(*node, some);
      return absl::OkStatus();
    };
    const absl::Status status =
        fs_.Mutate(true, std::bind(append, std::string(bytes)),
                   std::bind(append, std::string(bytes.substr(0, bytes.size() / 2))));
    if (!fs_.crashed_) size_bytes_ = node_->bytes.size();
    return status;
  }

  absl::Status Truncate(uint64_t size_bytes) override {
    const std::lock_guard<std::mutex> lock(fs_.mutex_);
    TALLY_RETURN_IF_ERROR(CheckEpoch());
    TALLY_RETURN_IF_ERROR(fs_.Mutate(false, [node = node_, size_bytes] {
      FaultDisk::Truncate(*node, size_bytes);
      return absl::OkStatus();
    }));
    size_bytes_ = size_bytes;
    return absl::OkStatus();
  }

  absl::Status Sync() override {
    const std::lock_guard<std::mutex> lock(fs_.mutex_);
    TALLY_RETURN_IF_ERROR(CheckEpoch());
    return fs_.Mutate(false, [node = node_] {
      FaultDisk::SyncFile(*node);
      return absl::OkStatus();
    });
  }

  uint64_t size_bytes() const override { return size_bytes_; }

 private:
  absl::Status CheckEpoch() const {
    if (epoch_ != fs_.epoch_) return absl::DataLossError("the file was open before the reboot");
    return absl::OkStatus();
  }

  FaultFileSystem& fs_;
  const NodePtr node_;
  const uint64_t epoch_;
  uint64_t size_bytes_;
};

class FaultFileSystem::HeldLock final : public FileLock {
 public:
  HeldLock(FaultFileSystem& fs, NodePtr node)
      : fs_(fs), node_(std::move(node)), epoch_(fs.epoch_) {}
  ~HeldLock() override {
    const std::lock_guard<std::mutex> lock(fs_.mutex_);
    if (epoch_ == fs_.epoch_) node_->locked = false;
  }

 private:
  FaultFileSystem& fs_;
  const NodePtr node_;
  const uint64_t epoch_;
};

FaultFileSystem::FaultFileSystem() : disk_(std::make_unique<FaultDisk>()) {}
FaultFileSystem::~FaultFileSystem() = default;

void FaultFileSystem::CrashAtCall(uint64_t k, CrashKind kind) {
  const std::lock_guard<std::mutex> lock(mutex_);
  crash_call_ = k;
  crash_kind_ = kind;
}

void FaultFileSystem::CrashNow(CrashKind kind) {
  const std::lock_guard<std::mutex> lock(mutex_);
  crashed_ = true;
  crash_kind_ = kind;
}

void FaultFileSystem::FailCall(uint64_t k, absl::Status status, bool sticky, bool partial_write) {
  const std::lock_guard<std::mutex> lock(mutex_);
  fault_ = {k, std::move(status), sticky, partial_write};
}

void FaultFileSystem::ClearFaults() {
  const std::lock_guard<std::mutex> lock(mutex_);
  fault_ = {};
  crash_call_ = 0;
}

uint64_t FaultFileSystem::mutating_calls() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return calls_;
}

bool FaultFileSystem::crashed() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return crashed_;
}

void FaultFileSystem::Reboot(uint64_t seed) {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::mt19937_64 random(seed);
  // The call in flight may have happened, in part or as a whole, although nobody heard of it.
  const uint64_t fate = random() % 3;
  if (fate == 1 && in_flight_partial_) in_flight_partial_().IgnoreError();
  if (fate == 2 && in_flight_) in_flight_().IgnoreError();
  if (!crashed_ || crash_kind_ == CrashKind::kPowerLoss) disk_->LosePower(random);
  disk_->ReleaseLocks();
  in_flight_ = nullptr;
  in_flight_partial_ = nullptr;
  crashed_ = false;
  crash_call_ = 0;
  calls_ = 0;
  fault_ = {};
  ++epoch_;
}

void FaultFileSystem::WriteRaw(const std::string& path, std::string_view bytes) {
  const std::lock_guard<std::mutex> lock(mutex_);
  absl::StatusOr<NodePtr> node = disk_->FindFile(path);
  if (!node.ok()) {
    node = disk_->Create(path, false);
    const size_t slash = path.rfind('/');
    FaultDisk::SyncDirectory(*disk_->FindDirectory(path.substr(0, slash)).value());
  }
  node.value()->bytes = std::string(bytes);
  FaultDisk::SyncFile(*node.value());
}

std::map<std::string, std::string> FaultFileSystem::Files() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return disk_->Files();
}

absl::Status FaultFileSystem::CheckAlive() const {
  return crashed_ ? CrashError() : absl::OkStatus();
}

absl::Status FaultFileSystem::Mutate(bool needs_space, std::function<absl::Status()> change,
                                     std::function<absl::Status()> partial) {
  TALLY_RETURN_IF_ERROR(CheckAlive());
  ++calls_;
  if (calls_ == crash_call_) {
    crashed_ = true;
    in_flight_ = std::move(change);
    in_flight_partial_ = std::move(partial);
    return CrashError();
  }
  const bool due =
      fault_.call != 0 && (calls_ == fault_.call || (fault_.sticky && calls_ > fault_.call));
  if (due && (needs_space || !absl::IsResourceExhausted(fault_.status))) {
    if (fault_.partial_write && partial) TALLY_RETURN_IF_ERROR(partial());
    return fault_.status;
  }
  return change();
}

absl::StatusOr<std::unique_ptr<WritableFile>> FaultFileSystem::CreateExclusive(
    const std::string& path) {
  const std::lock_guard<std::mutex> lock(mutex_);
  TALLY_RETURN_IF_ERROR(Mutate(true, [this, path] { return disk_->Create(path, false).status(); }));
  return std::make_unique<File>(*this, disk_->FindFile(path).value());
}

absl::StatusOr<std::unique_ptr<WritableFile>> FaultFileSystem::OpenForAppend(
    const std::string& path) {
  const std::lock_guard<std::mutex> lock(mutex_);
  TALLY_RETURN_IF_ERROR(Mutate(false, [this, path] { return disk_->FindFile(path).status(); }));
  return std::make_unique<File>(*this, disk_->FindFile(path).value());
}

absl::Status FaultFileSystem::CreateDirectory(const std::string& path) {
  const std::lock_guard<std::mutex> lock(mutex_);
  return Mutate(true, [this, path] { return disk_->Create(path, true).status(); });
}

absl::Status FaultFileSystem::Rename(const std::string& from, const std::string& to) {
  const std::lock_guard<std::mutex> lock(mutex_);
  return Mutate(false, [this, from, to] { return disk_->Rename(from, to); });
}

absl::Status FaultFileSystem::RemoveFile(const std::string& path) {
  const std::lock_guard<std::mutex> lock(mutex_);
  return Mutate(false, [this, path] { return disk_->Remove(path, false); });
}

absl::Status FaultFileSystem::RemoveDirectory(const std::string& path) {
  const std::lock_guard<std::mutex> lock(mutex_);
  return Mutate(false, [this, path] { return disk_->Remove(path, true); });
}

absl::Status FaultFileSystem::SyncDirectory(const std::string& path) {
  const std::lock_guard<std::mutex> lock(mutex_);
  return Mutate(false, [this, path]() -> absl::Status {
    TALLY_ASSIGN_OR_RETURN(const NodePtr directory, disk_->FindDirectory(path));
    FaultDisk::SyncDirectory(*directory);
    return absl::OkStatus();
  });
}

absl::StatusOr<std::unique_ptr<FileLock>> FaultFileSystem::Lock(const std::string& path,
                                                                std::string_view holder) {
  const std::lock_guard<std::mutex> lock(mutex_);
  TALLY_RETURN_IF_ERROR(Mutate(false, [this, path, text = std::string(holder)]() -> absl::Status {
    if (!disk_->Find(path).ok()) TALLY_RETURN_IF_ERROR(disk_->Create(path, false).status());
    TALLY_ASSIGN_OR_RETURN(const NodePtr node, disk_->FindFile(path));
    if (node->locked) {
      return absl::UnavailableError(text::StrCat(path, " is locked by ", node->bytes));
    }
    FaultDisk::Truncate(*node, 0);
    FaultDisk::Append(*node, text);
    node->locked = true;
    return absl::OkStatus();
  }));
  return std::make_unique<HeldLock>(*this, disk_->FindFile(path).value());
}

absl::StatusOr<std::string> FaultFileSystem::ReadFile(const std::string& path) {
  const std::lock_guard<std::mutex> lock(mutex_);
  TALLY_RETURN_IF_ERROR(CheckAlive());
  TALLY_ASSIGN_OR_RETURN(const NodePtr node, disk_->FindFile(path));
  return node->bytes;
}

absl::StatusOr<std::string> FaultFileSystem::ReadRange(const std::string& path, uint64_t offset,
                                                       uint64_t size_bytes) {
  const std::lock_guard<std::mutex> lock(mutex_);
  TALLY_RETURN_IF_ERROR(CheckAlive());
  TALLY_ASSIGN_OR_RETURN(const NodePtr node, disk_->FindFile(path));
  if (offset >= node->bytes.size()) return std::string();
  return node->bytes.substr(offset, size_bytes);
}

absl::StatusOr<uint64_t> FaultFileSystem::FileSize(const std::string& path) {
  const std::lock_guard<std::mutex> lock(mutex_);
  TALLY_RETURN_IF_ERROR(CheckAlive());
  TALLY_ASSIGN_OR_RETURN(const NodePtr node, disk_->FindFile(path));
  return uint64_t{node->bytes.size()};
}

absl::StatusOr<std::vector<std::string>> FaultFileSystem::ListDirectory(const std::string& path) {
  const std::lock_guard<std::mutex> lock(mutex_);
  TALLY_RETURN_IF_ERROR(CheckAlive());
  TALLY_ASSIGN_OR_RETURN(const NodePtr node, disk_->FindDirectory(path));
  std::vector<std::string> names;
  for (const auto& [name, child] : node->entries) names.push_back(name);
  return names;
}

absl::StatusOr<bool> FaultFileSystem::IsDirectory(const std::string& path) {
  const std::lock_guard<std::mutex> lock(mutex_);
  TALLY_RETURN_IF_ERROR(CheckAlive());
  TALLY_ASSIGN_OR_RETURN(const NodePtr node, disk_->Find(path));
  return node->directory;
}

}  // namespace tally::storage
