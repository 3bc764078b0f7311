#include "tests/crash/session.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "core/text/status_macros.h"
#include "tests/support/tiny_model.h"

namespace tally::testing {
namespace {

constexpr char kStateDir[] = "/state";

hosting::RegistryOptions Options() {
  hosting::RegistryOptions options;
  options.state_dir = kStateDir;
  options.host.journal.segment_bytes = 400;
  options.host.digest_interval_steps = 3;
  options.host.keep_generations = 2;
  return options;
}

// What went into the model, in order; an empty source stands for a flush.
struct Taught {
  std::string source;
  uint64_t sequence = 0;
};

void DropOpenMiniBatch(uint32_t batch_size, std::vector<Taught>& history) {
  size_t open = 0;
  for (const Taught& taught : history) {
    open = taught.source.empty() ? 0 : (open + 1) % batch_size;
  }
  history.resize(history.size() - open);
}

}  // namespace

std::vector<Step> Script() {
  using Kind = Step::Kind;
  std::map<std::string, uint64_t> next = {{"door", 1}, {"yard", 1}};
  std::vector<Step> script;
  const auto send = [&](Kind kind, const std::string& source, uint32_t count) {
    script.push_back({kind, source, next[source], count});
    next[source] += count;
  };
  const auto control = [&](Kind kind) { script.push_back({kind, "", 0, 0}); };
  send(Kind::kSend, "door", 7);
  send(Kind::kSendDurable, "yard", 5);
  send(Kind::kSend, "yard", 1);
  send(Kind::kSend, "door", 13);
  control(Kind::kCheckpoint);
  send(Kind::kSendDurable, "door", 3);
  control(Kind::kFlush);
  send(Kind::kSend, "yard", 22);
  control(Kind::kCheckpoint);
  send(Kind::kSend, "door", 6);
  send(Kind::kSend, "yard", 9);
  control(Kind::kRollback);
  send(Kind::kSend, "yard", 11);
  send(Kind::kSendDurable, "door", 17);
  control(Kind::kRestart);
  send(Kind::kSend, "door", 2);
  control(Kind::kCheckpoint);
  send(Kind::kSendDurable, "yard", 19);
  send(Kind::kSend, "door", 4);
  control(Kind::kFlush);
  control(Kind::kCheckpoint);  // at least one whole segment behind the generation before
  send(Kind::kSend, "yard", 2);
  control(Kind::kFlush);
  return script;
}

Outcome Oracle(const ModelSpec& spec, const std::vector<Step>& script) {
  Outcome outcome;
  std::vector<Taught> history;
  std::vector<Taught> saved;
  for (const Step& step : script) {
    switch (step.kind) {
      case Step::Kind::kSend:
      case Step::Kind::kSendDurable:
        for (uint32_t i = 0; i < step.count; ++i) {
          history.push_back({step.source, step.first_sequence + i});
        }
        outcome.seen += step.count;
        outcome.accepted[step.source] = step.first_sequence + step.count - 1;
        break;
      case Step::Kind::kFlush:
        history.push_back({});
        break;
      case Step::Kind::kCheckpoint:
        saved = history;
        DropOpenMiniBatch(spec.batch_size, saved);
        break;
      case Step::Kind::kRollback: {
        // Rows of the open mini-batch are dropped unseen.
        std::vector<Taught> trained = history;
        DropOpenMiniBatch(spec.batch_size, trained);
        outcome.seen -= history.size() - trained.size();
        history = saved;
        break;
      }
      case Step::Kind::kRestart:
        break;
    }
  }
  PlainTrainer plain(spec);
  for (const Taught& taught : history) {
    if (taught.source.empty()) {
      plain.Flush();
    } else {
      plain.Add(TinyRow(taught.source, taught.sequence), TinyLabel(taught.source, taught.sequence));
    }
  }
  outcome.state_digest = plain.Digest();
  outcome.step = plain.step();
  return outcome;
}

Session::Session(storage::FaultFileSystem& fs, const ModelSpec& spec, std::vector<Step> script)
    : fs_(fs), spec_(spec), script_(std::move(script)), acknowledged_(script_.size(), false) {}

Session::~Session() { Kill(); }

void Session::Kill() {
  probe_ = nullptr;
  host_ = nullptr;
  registry_ = nullptr;
}

bool Session::Run() {
  Kill();
  absl::Status status = Start();
  for (size_t i = resume_; status.ok() && i < script_.size(); ++i) {
    status = Do(i);
    if (disk_errors_ && absl::IsResourceExhausted(status)) status = Do(i);
    // Let the trainer finish, so that the next call of the file system is always the same one.
    if (status.ok()) probe_->WaitIdle();
    if (fs_.crashed()) return false;
  }
  if (fs_.crashed()) return false;
  EXPECT_TRUE(status.ok() || disk_errors_) << status;
  return status.ok();
}

absl::Status Session::Start() {
  TALLY_ASSIGN_OR_RETURN(registry_,
                         hosting::Registry::Open(fs_, clock_, Options(), nullptr, nullptr));
  registry_->WaitRecovered([](std::string_view) {});
  auto found = registry_->Find(spec_.name);
  if (absl::IsNotFound(found.status())) {
    EXPECT_TRUE(!created_ || fs_.crashed()) << "an acknowledged model is gone";
    found = registry_->Create(spec_);
  }
  if (!found.ok()) return found.status();
  host_ = *std::move(found);
  created_ = true;
  probe_ = std::make_unique<HostProbe>(*host_);
  probe_->WaitIdle();
  return fs_.crashed() ? absl::OkStatus() : CheckPromises();
}

// The disk has just been recovered: is everything there that the client was told?
absl::Status Session::CheckPromises() {
  const hosting::HostStatus status = host_->status();
  if (status.state == hosting::ModelState::kFailed) {
    EXPECT_TRUE(disk_errors_) << status.detail;
    return absl::Status(status.failure, status.detail);
  }
  const auto& promised = buffered_survives_ ? accepted_ : durable_;
  for (const auto& [source, through] : promised) {
    EXPECT_GE(host_->source(source).accepted_through, through) << source;
  }
  // What was found is durable by now, and what was not found the client sends again.
  for (auto& [source, through] : accepted_) through = host_->source(source).accepted_through;
  durable_ = accepted_;
  return absl::OkStatus();
}

absl::Status Session::Do(size_t index) {
  const Step& step = script_[index];
  if (step.kind == Step::Kind::kSend) return Send(step);
  if (step.kind == Step::Kind::kSendDurable) {
    TALLY_RETURN_IF_ERROR(SendDurable(step));
    NoteDurable(index);
    return absl::OkStatus();
  }
  if (acknowledged_[index]) return absl::OkStatus();
  if (step.kind == Step::Kind::kCheckpoint) {
    TALLY_ASSIGN_OR_RETURN(const hosting::CheckpointInfo saved, host_->Checkpoint(Soon()));
    target_ = saved.position;
  } else if (step.kind == Step::Kind::kFlush) {
    TALLY_RETURN_IF_ERROR(host_->Flush(Soon()).status());
    NoteDurable(index);
  } else if (step.kind == Step::Kind::kRollback) {
    TALLY_RETURN_IF_ERROR(host_->Rollback(target_, Soon()).status());
    NoteDurable(index);
  } else {
    TALLY_RETURN_IF_ERROR(Restart());
    NoteDurable(index);
  }
  acknowledged_[index] = true;
  return absl::OkStatus();
}

absl::Status Session::Send(const Step& step) {
  const auto result = host_->Append(TinyPacket(step.source, step.first_sequence, step.count));
  if (!result.ok()) return result.status();
  EXPECT_EQ(result->accepted + result->skipped, step.count);
  uint64_t& accepted = accepted_[step.source];
  accepted = std::max(accepted, step.first_sequence + step.count - 1);
  return absl::OkStatus();
}

absl::Status Session::SendDurable(const Step& step) {
  TALLY_RETURN_IF_ERROR(Send(step));
  probe_->WaitIdle();
  const uint64_t position = host_->status().accepted_position;
  host_->RequestSync(hosting::ModelHost::SyncWish::kNow);
  return host_->WaitDurable(position, Soon());
}

void Session::NoteDurable(size_t index) {
  durable_ = accepted_;
  resume_ = index + 1;
}

absl::Status Session::Restart() {
  // There is none if an earlier attempt could not start again.
  if (registry_ != nullptr) TALLY_RETURN_IF_ERROR(registry_->DrainAll(Soon()));
  durable_ = accepted_;
  Kill();
  return Start();
}

Outcome Session::Finish() {
  Outcome outcome;
  const auto digest = host_->Digest(Soon());
  EXPECT_TRUE(digest.ok()) << digest.status();
  if (digest.ok()) {
    outcome.state_digest = digest->state_digest;
    outcome.step = digest->step;
  }
  outcome.seen = host_->status().prequential.seen;
  for (const char* source : {"door", "yard"}) {
    outcome.accepted[source] = host_->source(source).accepted_through;
  }
  return outcome;
}

Audit Session::AuditDisk() { return AuditModel(fs_, kStateDir, spec_.name); }

}  // namespace tally::testing
