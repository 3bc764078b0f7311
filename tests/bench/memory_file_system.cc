#include "tests/bench/memory_file_system.h"

#include <utility>

#include "core/text/status_macros.h"

namespace tally::bench {

using storage::NodePtr;

namespace {

constexpr size_t kSmallBytes = 64 << 10;
constexpr size_t kSegmentBytes = size_t{17} << 20;

}  // namespace

class MemoryFileSystem::File final : public storage::WritableFile {
 public:
  File(std::mutex& mutex, NodePtr node) : mutex_(mutex), node_(std::move(node)) {}

  absl::Status Append(std::string_view bytes) override {
    return AppendPieces(std::span(&bytes, 1));
  }
  absl::Status AppendPieces(std::span<const std::string_view> pieces) override {
    const std::lock_guard lock(mutex_);
    std::string& content = node_->bytes;
    for (const std::string_view bytes : pieces) {
      // Room for a whole segment at once: growing by copies would cost what a disk does not.
      if (content.size() + bytes.size() > kSmallBytes && content.capacity() < kSegmentBytes) {
        content.reserve(kSegmentBytes);
      }
      content.append(bytes);
    }
    return absl::OkStatus();
  }
  absl::Status Truncate(uint64_t size_bytes) override {
    const std::lock_guard lock(mutex_);
    node_->bytes.resize(size_bytes);
    return absl::OkStatus();
  }
  absl::Status Sync() override { return absl::OkStatus(); }
  uint64_t size_bytes() const override {
    const std::lock_guard lock(mutex_);
    return node_->bytes.size();
  }

 private:
  std::mutex& mutex_;
  const NodePtr node_;
};

absl::StatusOr<std::unique_ptr<storage::WritableFile>> MemoryFileSystem::CreateExclusive(
    const std::string& path) {
  const std::lock_guard lock(mutex_);
  TALLY_ASSIGN_OR_RETURN(NodePtr node, disk_.Create(path, /*directory=*/false));
  return std::make_unique<File>(mutex_, std::move(node));
}

absl::StatusOr<std::unique_ptr<storage::WritableFile>> MemoryFileSystem::OpenForAppend(
    const std::string& path) {
  const std::lock_guard lock(mutex_);
  TALLY_ASSIGN_OR_RETURN(NodePtr node, disk_.FindFile(path));
  return std::make_unique<File>(mutex_, std::move(node));
}

absl::Status MemoryFileSystem::CreateDirectory(const std::string& path) {
  const std::lock_guard lock(mutex_);
  return disk_.Create(path, /*directory=*/true).status();
}

absl::Status MemoryFileSystem::Rename(const std::string& from, const std::string& to) {
  const std::lock_guard lock(mutex_);
  return disk_.Rename(from, to);
}

absl::Status MemoryFileSystem::RemoveFile(const std::string& path) {
  const std::lock_guard lock(mutex_);
  return disk_.Remove(path, /*directory=*/false);
}

absl::Status MemoryFileSystem::RemoveDirectory(const std::string& path) {
  const std::lock_guard lock(mutex_);
  return disk_.Remove(path, /*directory=*/true);
}

// One process, and it opens each lock once.
absl::StatusOr<std::unique_ptr<storage::FileLock>> MemoryFileSystem::Lock(const std::string&,
                                                                          std::string_view) {
  return std::make_unique<storage::FileLock>();
}

absl::StatusOr<std::string> MemoryFileSystem::ReadFile(const std::string& path) {
  const std::lock_guard lock(mutex_);
  TALLY_ASSIGN_OR_RETURN(const NodePtr node, disk_.FindFile(path));
  return node->bytes;
}

absl::StatusOr<std::string> MemoryFileSystem::ReadRange(const std::string& path, uint64_t offset,
                                                        uint64_t size_bytes) {
  const std::lock_guard lock(mutex_);
  TALLY_ASSIGN_OR_RETURN(const NodePtr node, disk_.FindFile(path));
  if (offset >= node->bytes.size()) return std::string();
  return node->bytes.substr(offset, size_bytes);
}

absl::StatusOr<uint64_t> MemoryFileSystem::FileSize(const std::string& path) {
  const std::lock_guard lock(mutex_);
  TALLY_ASSIGN_OR_RETURN(const NodePtr node, disk_.FindFile(path));
  return node->bytes.size();
}

absl::StatusOr<std::vector<std::string>> MemoryFileSystem::ListDirectory(const std::string& path) {
  const std::lock_guard lock(mutex_);
  TALLY_ASSIGN_OR_RETURN(const NodePtr node, disk_.FindDirectory(path));
  std::vector<std::string> names;
  for (const auto& [name, child] : node->entries) names.push_back(name);
  return names;
}

absl::StatusOr<bool> MemoryFileSystem::IsDirectory(const std::string& path) {
  const std::lock_guard lock(mutex_);
  TALLY_ASSIGN_OR_RETURN(const NodePtr node, disk_.Find(path));
  return node->directory;
}

}  // namespace tally::bench
