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

bool IsSamples(const TrainerInbox::Entry& entry) {
  return std::holds_alternative<storage::SamplesRecord>(entry.record.body);
}

}  // namespace

bool TrainerInbox::HasRoom(uint64_t bytes) {
  MutexLock lock(mutex_);
  const uint64_t half = bytes_max_ / 2;
  const bool fits = bytes <= bytes_max_ && bytes_ <= bytes_max_ - bytes;
  const bool room = fits || (bytes > half && bytes_ <= half);
  if (!room) room_wanted_ = true;
  return room;
}

bool TrainerInbox::TakeRelief() {
  MutexLock lock(mutex_);
  return bytes_ <= bytes_max_ / 2 && std::exchange(room_wanted_, false);
}

void TrainerInbox::Push(Entry entry) {
  MutexLock lock(mutex_);
  bytes_ += BodyBytes(entry.record.body);
  if (!IsSamples(entry)) ++controls_;
  entries_.push_back(std::move(entry));
  if (!company_awaited_ || !MayWaitForCompany()) changed_.NotifyOne();
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
    controls_ = 0;
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
  if (!IsSamples(taken)) --controls_;
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
  if (MayWaitForCompany()) {
    company_awaited_ = true;
    changed_.WaitForMs(mutex_, kCompanyMs);
    company_awaited_ = false;
  }
  poked_ = false;
}

bool TrainerInbox::MayWaitForCompany() const {
  return !entries_.empty() && controls_ == 0 && commands_.empty() && bytes_ < kCompanyBytes &&
         !poked_ && stopped_.ok();
}

bool TrainerInbox::Takeable() const { return !entries_.empty() || !commands_.empty(); }

}  // namespace tally::hosting
