#include "daemon/hosting/trainer_inbox.h"

#include <utility>
#include <variant>

#include "core/arithmetic/check.h"

namespace tally::hosting {

namespace {

uint64_t BodyBytes(const storage::RecordBody& body) {
  const auto* packet = std::get_if<storage::SamplesRecord>(&body);
  return packet == nullptr ? 0 : PacketBytes(packet->rows.size(), packet->labels.size());
}

}  // namespace

bool TrainerInbox::HasRoom(uint64_t bytes) const {
  MutexLock lock(mutex_);
  return bytes_ == 0 || (bytes <= bytes_max_ && bytes_ <= bytes_max_ - bytes);
}

void TrainerInbox::Push(Entry entry) {
  MutexLock lock(mutex_);
  bytes_ += BodyBytes(entry.record.body);
  entries_.push_back(std::move(entry));
  changed_.NotifyOne();
}

void TrainerInbox::Post(Command command) {
  absl::Status refusal;
  {
    MutexLock lock(mutex_);
    refusal = stopped_;
    if (refusal.ok()) {
      commands_.push_back(std::move(command));
      changed_.NotifyOne();
      return;
    }
  }
  command.refuse(refusal);
}

void TrainerInbox::Poke() {
  MutexLock lock(mutex_);
  poked_ = true;
  changed_.NotifyOne();
}

void TrainerInbox::Stop(const absl::Status& why) {
  TALLY_CHECK(!why.ok());
  std::deque<Command> commands;
  std::deque<Entry> entries;
  {
    MutexLock lock(mutex_);
    if (!stopped_.ok()) return;
    stopped_ = why;
    std::swap(commands, commands_);
    std::swap(entries, entries_);
    bytes_ = 0;
    changed_.NotifyOne();
  }
  for (const Command& command : commands) command.refuse(why);
  for (const Entry& entry : entries) {
    if (entry.flush != nullptr) entry.flush->Give(why);
  }
}

bool TrainerInbox::stopped() const {
  MutexLock lock(mutex_);
  return !stopped_.ok();
}

bool TrainerInbox::idle() const {
  MutexLock lock(mutex_);
  return !stopped_.ok() || (!busy_ && entries_.empty() && commands_.empty());
}

std::optional<TrainerInbox::Command> TrainerInbox::TakeCommand(bool records_done) {
  MutexLock lock(mutex_);
  for (auto command = commands_.begin(); command != commands_.end(); ++command) {
    if (command->after_records && !(records_done && entries_.empty())) continue;
    Command taken = std::move(*command);
    commands_.erase(command);
    busy_ = true;
    return taken;
  }
  return std::nullopt;
}

std::optional<TrainerInbox::Entry> TrainerInbox::TakeEntry() {
  MutexLock lock(mutex_);
  if (entries_.empty()) return std::nullopt;
  Entry taken = std::move(entries_.front());
  entries_.pop_front();
  bytes_ -= BodyBytes(taken.record.body);
  busy_ = true;
  return taken;
}

bool TrainerInbox::MarkIdle() {
  MutexLock lock(mutex_);
  if (Takeable()) return false;
  return std::exchange(busy_, false);
}

void TrainerInbox::Wait(int64_t deadline_ns) {
  MutexLock lock(mutex_);
  while (!Takeable() && !poked_ && stopped_.ok()) {
    if (!WaitSlice(changed_, mutex_, clock_, deadline_ns)) break;
  }
  poked_ = false;
}

bool TrainerInbox::Takeable() const { return !entries_.empty() || !commands_.empty(); }

}  // namespace tally::hosting
