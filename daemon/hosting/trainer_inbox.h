// What the trainer thread has to do: journalled records in order, and commands between two steps.

#ifndef TALLY_DAEMON_HOSTING_TRAINER_INBOX_H_
#define TALLY_DAEMON_HOSTING_TRAINER_INBOX_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "daemon/hosting/model_host.h"
#include "daemon/hosting/waiting.h"
#include "daemon/platform/mutex.h"
#include "daemon/storage/clock.h"
#include "daemon/storage/record.h"

namespace tally::hosting {

using FlushAnswer = Answer<ModelHost::FlushResult>;

// Thread-safe. One taker: the trainer thread.
class TrainerInbox {
 public:
  struct Entry {
    storage::Record record;
    std::shared_ptr<FlushAnswer> flush;  // who waits for this flush; null otherwise
  };
  struct Command {
    bool after_records = false;  // not before every record pushed is trained as far as it can be
    std::function<void()> run;
    std::function<void(const absl::Status&)> refuse;  // called instead of `run` when the host stops
  };

  TrainerInbox(storage::Clock& clock, uint64_t bytes_max) : clock_(clock), bytes_max_(bytes_max) {}

  // Whether a packet of `bytes` fits. A packet larger than half of the queue, or than all of it, fits
  // once half is free, so that small ones cannot keep it out; it may fill more than the queue.
  bool HasRoom(uint64_t bytes);
  void Push(Entry entry);
  void Post(Command command);
  // Makes Wait return although there is nothing to take.
  void Poke();
  // Refuses all commands, now and later, with `why`; the taker finds stopped() true.
  void Stop(const absl::Status& why);

  bool stopped() const;
  // Nothing is waiting and the taker has said that it does nothing.
  bool idle() const;

  // The taker's side.
  std::optional<Command> TakeCommand(bool records_done);
  std::optional<Entry> TakeEntry();
  // True once after somebody found no room and half of the queue has been taken since.
  bool TakeRelief();
  // Says that the taker does nothing. True if that is news and nothing has come in meanwhile.
  bool MarkIdle();
  // Until there is something to take, a Poke or Stop, or the deadline. A few samples alone wait
  // kCompanyMs for more, so that a stream of small packets does not wake the taker for each.
  void Wait(int64_t deadline_ns);

 private:
  static constexpr int64_t kCompanyMs = 1;
  static constexpr uint64_t kCompanyBytes = 64 << 10;

  bool Takeable() const TALLY_REQUIRES(mutex_);
  // Nothing but samples, and few of them.
  bool MayWaitForCompany() const TALLY_REQUIRES(mutex_);

  storage::Clock& clock_;
  const uint64_t bytes_max_;
  mutable Mutex mutex_;
  CondVar changed_;
  std::deque<Entry> entries_ TALLY_GUARDED_BY(mutex_);
  std::deque<Command> commands_ TALLY_GUARDED_BY(mutex_);
  uint64_t bytes_ TALLY_GUARDED_BY(mutex_) = 0;
  size_t controls_ TALLY_GUARDED_BY(mutex_) = 0;  // entries that are no samples
  bool room_wanted_ TALLY_GUARDED_BY(mutex_) = false;
  bool company_awaited_ TALLY_GUARDED_BY(mutex_) = false;
  bool busy_ TALLY_GUARDED_BY(mutex_) = true;  // recovery comes first
  bool poked_ TALLY_GUARDED_BY(mutex_) = false;
  absl::Status stopped_ TALLY_GUARDED_BY(mutex_);
};

// Memory that a packet's rows and labels take in the queue.
constexpr uint64_t PacketBytes(size_t row_bytes, size_t labels) {
  return row_bytes + labels * sizeof(uint32_t);
}

}  // namespace tally::hosting

#endif  // TALLY_DAEMON_HOSTING_TRAINER_INBOX_H_
