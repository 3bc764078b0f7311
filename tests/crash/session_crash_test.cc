// Goal: whatever moment the machine or the process dies at, nothing acknowledged is lost, nothing
// is learnt twice, the model ends bit-identical to one that was never interrupted, and the audit
// chain's stored heads are those of its journal.
// Method: crash a scripted session at its k-th mutating call of the file system, for every k;
// reboot with what a seed lets survive; let the client resume; compare with a plain trainer and an
// auditor. At every third point or so crash the recovery as well.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <string>

#include "tests/crash/session.h"
#include "tests/support/fault_file_system.h"
#include "tests/support/tiny_model_test.h"

namespace tally::testing {

void PrintTo(const Outcome& outcome, std::ostream* out) {
  *out << "digest " << outcome.state_digest << ", step " << outcome.step << ", seen "
       << outcome.seen;
  for (const auto& [source, through] : outcome.accepted) *out << ", " << source << " " << through;
}

namespace {

using storage::CrashKind;
using storage::FaultFileSystem;

bool Long() {
  const char* value = std::getenv("TALLY_LONG");
  return value != nullptr && std::string(value) == "1";
}

struct CrashPlan {
  CrashKind kind = CrashKind::kPowerLoss;
  uint64_t k = 0;         // the session's call to crash at
  uint64_t seed = 0;      // what survives
  uint64_t recovery = 0;  // the recovery's call to crash at; 0: none
  CrashKind recovery_kind = CrashKind::kPowerLoss;
};

// Every head of the audit chain that is stored is right, and every segment that no replay will pass
// again has one at its end.
void CheckAudit(Session& session) {
  session.Kill();
  const Audit audit = session.AuditDisk();
  EXPECT_THAT(audit.findings, ::testing::IsEmpty());
  EXPECT_THAT(audit.missing, ::testing::IsEmpty());
  EXPECT_GT(audit.ends, 0u);
  EXPECT_GT(audit.generations, 1u);
}

// The session is done: is it as expected, and is that what the next start finds?
void CheckEnd(Session& session, FaultFileSystem& fs, CrashKind kind, const Outcome& expected) {
  EXPECT_EQ(session.Finish(), expected);
  session.Kill();
  fs.CrashNow(kind);
  fs.Reboot(3);
  EXPECT_TRUE(session.Run());
  EXPECT_EQ(session.Finish(), expected);
  CheckAudit(session);
}

// Runs the script with the plan's crashes. False if it ended before its k-th call.
bool RunWithCrashes(const ModelSpec& spec, const CrashPlan& plan, const Outcome& expected) {
  FaultFileSystem fs;
  Session session(fs, spec, Script());
  session.ExpectBufferedSurvives(plan.kind == CrashKind::kKill);
  fs.CrashAtCall(plan.k, plan.kind);
  if (session.Run()) return false;
  session.Kill();
  fs.Reboot(plan.seed);
  if (plan.recovery > 0) {
    fs.CrashAtCall(plan.recovery, plan.recovery_kind);
    session.Run();
    session.ExpectBufferedSurvives(plan.recovery_kind == CrashKind::kKill);
    session.Kill();
    fs.Reboot(plan.seed + 1000);
  }
  const bool done = session.Run();
  EXPECT_TRUE(done) << "the script did not end after the crash";
  if (done) CheckEnd(session, fs, plan.recovery_kind, expected);
  return true;
}

void CrashEverywhere(const ModelSpec& spec, CrashKind kind, uint64_t seeds) {
  const Outcome expected = Oracle(spec, Script());
  uint64_t points = 0;
  for (uint64_t seed = 1; seed <= (Long() ? 10 : seeds); ++seed) {
    bool reached = true;
    for (uint64_t k = 1; reached; ++k) {
      const uint64_t mixed = (k * 31 + seed * 17) % 60;
      const CrashPlan plan = {kind, k, seed * 7919 + k, mixed < 30 ? mixed : 0,
                              (k + seed) % 2 == 0 ? kind : CrashKind::kPowerLoss};
      SCOPED_TRACE(::testing::Message()
                   << "k=" << plan.k << " seed=" << plan.seed << " recovery=" << plan.recovery);
      reached = RunWithCrashes(spec, plan, expected);
      if (::testing::Test::HasFailure()) return;
      points += reached ? 1 : 0;
    }
  }
  std::cout << "crash points: " << points << "\n";
  EXPECT_GT(points, 100u);
}

uint64_t CallsOfTheScript(const ModelSpec& spec) {
  FaultFileSystem fs;
  Session session(fs, spec, Script());
  EXPECT_TRUE(session.Run());
  return fs.mutating_calls();
}

// One call fails with `error`; whatever that breaks, a restart or two must mend.
void FailEverywhere(const ModelSpec& spec, const absl::Status& error) {
  const Outcome expected = Oracle(spec, Script());
  const uint64_t calls = CallsOfTheScript(spec);
  EXPECT_GT(calls, 100u);
  for (uint64_t k = 1; k <= calls; ++k) {
    SCOPED_TRACE(::testing::Message() << "k=" << k);
    FaultFileSystem fs;
    Session session(fs, spec, Script());
    session.ExpectDiskErrors();
    session.ExpectBufferedSurvives(true);
    fs.FailCall(k, error, /*sticky=*/false, /*partial_write=*/true);
    bool done = session.Run();
    for (int restart = 0; restart < 2 && !done; ++restart) done = session.Run();
    ASSERT_TRUE(done);
    CheckEnd(session, fs, CrashKind::kKill, expected);
    if (::testing::Test::HasFailure()) return;
  }
}

// Each algorithm has half of the seeds: what survives a crash does not depend on it, what is learnt
// from it does.
class SessionCrashTest : public TinyModelTest {};

TEST_P(SessionCrashTest, EndsAsTheOracleSaysWithoutACrash) {
  for (const uint32_t calibration : {0u, 15u}) {
    const ModelSpec spec = Tiny("digits", 4, calibration);
    FaultFileSystem fs;
    Session session(fs, spec, Script());
    ASSERT_TRUE(session.Run());
    EXPECT_EQ(session.Finish(), Oracle(spec, Script()));
    CheckAudit(session);
  }
}

TEST_P(SessionCrashTest, MakesTheSameCallsInEveryRun) {
  const uint64_t calls = CallsOfTheScript(Tiny("digits"));
  for (int run = 0; run < 5; ++run) EXPECT_EQ(CallsOfTheScript(Tiny("digits")), calls);
}

TEST_P(SessionCrashTest, SurvivesPowerLossAtEveryCall) {
  CrashEverywhere(Tiny("digits"), CrashKind::kPowerLoss, 2);
}

TEST_P(SessionCrashTest, SurvivesKillAtEveryCall) {
  CrashEverywhere(Tiny("digits"), CrashKind::kKill, 1);
}

TEST_P(SessionCrashTest, SurvivesPowerLossAtEveryCallOfACalibratedModel) {
  CrashEverywhere(Tiny("digits", 4, /*calibration_samples=*/15), CrashKind::kPowerLoss, 1);
}

TEST_P(SessionCrashTest, SurvivesALackOfSpaceAtEveryCall) {
  FailEverywhere(Tiny("digits"), absl::ResourceExhaustedError("No space left on device"));
}

TEST_P(SessionCrashTest, SurvivesAnErrorOfTheDiskAtEveryCall) {
  FailEverywhere(Tiny("digits"), absl::DataLossError("Input/output error"));
}

INSTANTIATE_TEST_SUITE_P(EachAlgorithm, SessionCrashTest, EachAlgorithm(), AlgorithmName);

}  // namespace
}  // namespace tally::testing
