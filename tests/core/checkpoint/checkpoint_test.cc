// Goal: pin the bytes and digests of a checkpoint for ever, and show that damage is always noticed.
// Method: committed bytes and digests, computed from FORMAT.md by a separate program; every bit of
// a checkpoint flipped and every length cut; checkpoints forged with a correct file digest.

#include "core/checkpoint/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/checkpoint/safetensors.h"
#include "tests/core/checkpoint/door_learner.h"

namespace tally {
namespace {

using ::testing::HasSubstr;

const Annotations kAnnotations = {{"position", "41"}, {"note", "a \"b\" \u00e9"}};

constexpr char kStateDigest[] = "a8ba1f716e7ddc124776244fa5bb87d9599130414299de20bc98bb1d34d79440";
constexpr char kFileDigest[] = "7f03bd5ec5be62d8b1f9e5a838c4ebd16720aee02f17204cbe1578f59bcaf5c4";

// 1336 bytes with the padding.
constexpr char kHeader[] =
    R"({"__metadata__":{"file_digest":"7f03bd5ec5be62d8b1f9e5a838c4ebd16720aee02f17204cbe1578f59bcaf5c4",)"
    R"("format":"tally-checkpoint","format_version":"1","name":"door","spec":"{\"algorithm\":\"pocketnn\",)"
    R"(\"batch_size\":20,\"classes\":2,\"input\":{\"shape\":[2],\"type\":\"uint8\"},\"labels\":[],)"
    R"(\"layers\":[{\"activation\":\"pocket_tanh\",\"units\":2}],\"learning_rate\":[{\"from_step\":0,)"
    R"(\"inverse\":1000}],\"pocketnn\":{\"profile\":\"standard\",\"target\":15,\"training\":\"dfa\",)"
    R"(\"update_rounding\":\"toward_zero\",\"weight_limit\":32767},\"preprocessing\":)"
    R"({\"calibration_samples\":0,\"deviation\":[],\"kind\":\"none\",\"mean\":[],\"scope\":\"global\",)"
    R"(\"unit\":51},\"schedule_steps\":9,\"seed\":1}",)"
    R"("state_digest":"a8ba1f716e7ddc124776244fa5bb87d9599130414299de20bc98bb1d34d79440","step":"258",)"
    R"("x_note":"a \"b\" )"
    "\u00e9"
    R"(","x_position":"41"},"layer.0.bias":{"data_offsets":[32,40],"dtype":"I32","shape":[2]},)"
    R"("layer.0.mask":{"data_offsets":[48,51],"dtype":"U8","shape":[3]},)"
    R"("layer.0.sign":{"data_offsets":[51,53],"dtype":"I8","shape":[1,2]},)"
    R"("layer.0.weights":{"data_offsets":[40,48],"dtype":"I16","shape":[2,2]},)"
    R"("nothing":{"data_offsets":[53,53],"dtype":"I8","shape":[0,5]},)"
    R"("seen":{"data_offsets":[0,16],"dtype":"U64","shape":[2]},)"
    R"("step":{"data_offsets":[16,24],"dtype":"U64","shape":[]},)"
    R"("total":{"data_offsets":[24,32],"dtype":"I64","shape":[1]}})";

constexpr char kDataHex[] =
    "07000000000000000000000000000080"  // seen
    "0201000000000000"                  // step
    "00e68ee7fdffffff"                  // total
    "ffffffff00000100"                  // layer.0.bias
    "0100feffff7f0080"                  // layer.0.weights
    "0080ff"                            // layer.0.mask
    "807f";                             // layer.0.sign

std::string FromHex(std::string_view hex) {
  std::string bytes;
  for (size_t i = 0; i < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

std::string GoldenBytes() {
  std::string header = kHeader;
  header.resize(1336, ' ');
  return std::string("\x38\x05\0\0\0\0\0\0", 8) + header + FromHex(kDataHex);
}

std::string Encoded() {
  DoorLearner learner = TrainedDoor();
  return EncodeCheckpoint(learner, kAnnotations);
}

// Parts of the golden checkpoint, to be changed and put together again with a correct file digest.
struct Forgery {
  std::string bytes = Encoded();
  safetensors::File file = *safetensors::Read(bytes);

  safetensors::Tensor& Array(std::string_view name) {
    for (auto& tensor : file.tensors) {
      if (tensor.name == name) return tensor;
    }
    ADD_FAILURE() << name;
    return file.tensors[0];
  }

  std::string Forge() {
    file.metadata["file_digest"] = std::string(64, '0');
    std::string forged = safetensors::Write(file.metadata, file.tensors);
    return forged.replace(40, 64, Sha256Hex(forged));
  }
};

absl::Status Refusal(std::string_view bytes) {
  const auto checkpoint = DecodeCheckpoint(bytes, MakeDoor);
  EXPECT_FALSE(checkpoint.ok());
  return checkpoint.status();
}

void ExpectDataLoss(std::string_view bytes, std::string_view message) {
  const absl::Status status = Refusal(bytes);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(std::string(message)));
}

void ExpectInvalid(std::string_view bytes, std::string_view message) {
  const absl::Status status = Refusal(bytes);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(std::string(message)));
}

TEST(CheckpointTest, BytesAndDigestsArePinned) {
  DoorLearner learner = TrainedDoor();
  EXPECT_EQ(StateDigest(learner), kStateDigest);
  const std::string bytes = Encoded();
  EXPECT_EQ(bytes, GoldenBytes());
  EXPECT_EQ(*FileDigestOf(bytes), kFileDigest);
  EXPECT_EQ(Sha256Hex(bytes), "d46830694e63beab7e6ffff7ec4a665122814cf284f2f6857c102ec068081eaf");
}

TEST(CheckpointTest, ACommittedCheckpointIsReadBack) {
  const auto checkpoint = DecodeCheckpoint(GoldenBytes(), MakeDoor);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_EQ(checkpoint->state_digest, kStateDigest);
  EXPECT_EQ(checkpoint->file_digest, kFileDigest);
  EXPECT_EQ(checkpoint->annotations, kAnnotations);
  auto& learner = static_cast<DoorLearner&>(*checkpoint->learner);
  const DoorLearner wanted = TrainedDoor();
  EXPECT_EQ(learner.spec().name, "door");
  EXPECT_EQ(learner.weights, wanted.weights);
  EXPECT_EQ(learner.bias, wanted.bias);
  EXPECT_EQ(learner.mask, wanted.mask);
  EXPECT_EQ(learner.sign, wanted.sign);
  EXPECT_EQ(learner.total, wanted.total);
  EXPECT_EQ(learner.seen, wanted.seen);
  EXPECT_EQ(learner.step(), 258u);
  EXPECT_EQ(EncodeCheckpoint(learner, checkpoint->annotations), GoldenBytes());
}

TEST(CheckpointTest, EncodingHasNoEffectOnTheLearner) {
  DoorLearner learner = TrainedDoor();
  const std::string first = EncodeCheckpoint(learner, kAnnotations);
  EXPECT_EQ(EncodeCheckpoint(learner, kAnnotations), first);
  EXPECT_EQ(StateDigest(learner), kStateDigest);
}

TEST(CheckpointTest, TheStateDigestLeavesOutNameCountersAndAnnotations) {
  ModelSpec spec = DoorSpec();
  spec.name = "";
  DoorLearner renamed(spec);
  const DoorLearner trained = TrainedDoor();
  renamed.weights = trained.weights;
  renamed.bias = trained.bias;
  renamed.mask = trained.mask;
  renamed.sign = trained.sign;
  renamed.total = trained.total;
  renamed.step_ = trained.step_;
  EXPECT_EQ(StateDigest(renamed), kStateDigest);
  const auto checkpoint = DecodeCheckpoint(EncodeCheckpoint(renamed, {}), MakeDoor);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_EQ(checkpoint->state_digest, kStateDigest);
  EXPECT_NE(checkpoint->file_digest, kFileDigest);
  EXPECT_EQ(checkpoint->learner->spec().name, "");
  EXPECT_TRUE(checkpoint->annotations.empty());
}

TEST(CheckpointTest, TheStateDigestSeesEveryArrayAndTheSpec) {
  DoorLearner learner = TrainedDoor();
  const auto changed = [&] { return StateDigest(learner) != kStateDigest; };
  learner.weights[3] ^= 1;
  EXPECT_TRUE(changed());
  learner = TrainedDoor();
  learner.mask[0] ^= 1;
  EXPECT_TRUE(changed());
  learner = TrainedDoor();
  learner.step_ ^= 1;
  EXPECT_TRUE(changed());
  learner = TrainedDoor();
  learner.extra = true;
  EXPECT_TRUE(changed());
  ModelSpec spec = DoorSpec();
  spec.seed = 2;
  DoorLearner other_seed(spec);
  DoorLearner fresh(DoorSpec());
  EXPECT_NE(StateDigest(other_seed), StateDigest(fresh));
}

TEST(CheckpointTest, EveryFlippedBitIsNoticed) {
  const std::string good = Encoded();
  int factory_calls = 0;
  const LearnerFactory factory = [&](const ModelSpec& spec) {
    ++factory_calls;
    return MakeDoor(spec);
  };
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    const absl::Status status = DecodeCheckpoint(bad, factory).status();
    ASSERT_TRUE(status.code() == absl::StatusCode::kDataLoss ||
                status.code() == absl::StatusCode::kInvalidArgument)
        << "bit " << bit << ": " << status;
  }
  EXPECT_EQ(factory_calls, 0) << "a damaged file was not noticed before a learner was made";
}

TEST(CheckpointTest, EveryTruncationIsNoticed) {
  const std::string good = Encoded();
  for (size_t size = 0; size < good.size(); ++size) {
    const absl::Status status = DecodeCheckpoint(good.substr(0, size), MakeDoor).status();
    // Once the file can be told to be ours, its loss is data loss.
    ASSERT_EQ(status.code(),
              size < 133 ? absl::StatusCode::kInvalidArgument : absl::StatusCode::kDataLoss)
        << size << status;
  }
  ExpectDataLoss(good + "x", "the tensors cover 53");
}

TEST(CheckpointTest, AChangedArrayWithACorrectFileDigestIsNoticed) {
  for (const char* name : {"layer.0.weights", "layer.0.bias", "layer.0.mask", "total"}) {
    Forgery forgery;
    std::string changed(forgery.Array(name).bytes);
    changed[0] = static_cast<char>(changed[0] ^ 1);
    forgery.Array(name).bytes = changed;
    ExpectDataLoss(forgery.Forge(), std::string("state_digest \"") + kStateDigest);
  }
}

TEST(CheckpointTest, ForgedArraysAreNoticed) {
  Forgery missing;
  std::erase_if(missing.file.tensors, [](const auto& tensor) { return tensor.name == "total"; });
  ExpectDataLoss(missing.Forge(), "checkpoint: array total is missing");

  Forgery extra;
  extra.file.tensors.push_back({"alpha", StateType::kInt8, {1}, "x"});
  ExpectDataLoss(extra.Forge(), "array \"alpha\" does not belong to a model of this spec");

  Forgery last;
  last.file.tensors.push_back({"zulu", StateType::kInt8, {1}, "x"});
  ExpectDataLoss(last.Forge(), "array \"zulu\" does not belong to a model of this spec");

  Forgery shape;
  shape.Array("layer.0.weights").shape = {4};
  ExpectDataLoss(shape.Forge(), "array layer.0.weights is I16[4], expected I16[2,2]");

  Forgery type;
  type.Array("layer.0.sign").type = StateType::kUint8;
  ExpectDataLoss(type.Forge(), "array layer.0.sign is U8[1,2], expected I8[1,2]");

  Forgery range;
  const std::string beyond("\xff\xff\xff\x7f\0\0\0\0", 8);
  range.Array("layer.0.bias").bytes = beyond;
  ExpectDataLoss(range.Forge(), "layer.0.bias: got more than 65536");
}

TEST(CheckpointTest, ForgedMetadataIsNoticed) {
  const auto forged = [](const char* key, const char* value) {
    Forgery forgery;
    forgery.file.metadata[key] = value;
    return forgery.Forge();
  };
  ExpectDataLoss(forged("step", "259"), "step \"259\" but the state is of step 258");
  ExpectDataLoss(forged("step", "0258"), "step \"0258\"");
  ExpectDataLoss(forged("state_digest", "00"), "state_digest \"00\" but the arrays give a8ba1f71");
  ExpectDataLoss(forged("zebra", "1"), "metadata has an unknown key \"zebra\"");
  ExpectInvalid(forged("name", "No Name"), "checkpoint: name: got \"No Name\"");
  ExpectInvalid(forged("format_version", "2"),
                "format version \"2\"; this program reads version 1: use a newer one");
  ExpectInvalid(forged("format", "pt"), "not a checkpoint of tally");
  ExpectInvalid(forged("spec", "{}"), "checkpoint: spec: algorithm: missing");
  ExpectInvalid(forged("spec", "{\"rate\":0.5}"), "integers only");
  const char* const kKeys[] = {"name", "spec", "state_digest", "step"};
  for (const char* key : kKeys) {
    Forgery forgery;
    forgery.file.metadata.erase(key);
    ExpectDataLoss(forgery.Forge(), std::string("metadata lacks ") + key);
  }
}

TEST(CheckpointTest, ASpecOutOfCanonicalFormIsNoticed) {
  Forgery forgery;
  std::string& spec = forgery.file.metadata["spec"];
  spec.insert(1, " ");
  ExpectDataLoss(forgery.Forge(), "spec is not in canonical form");
}

TEST(CheckpointTest, ASmallFileCannotClaimALargeModel) {
  Forgery forgery;
  std::string& spec = forgery.file.metadata["spec"];
  spec.replace(spec.find("\"shape\":[2]"), 11, "\"shape\":[999]");
  ExpectDataLoss(forgery.Forge(), "cannot hold the 2000 weights and biases");
}

TEST(CheckpointTest, TheFactorysErrorIsReturned) {
  const LearnerFactory full = [](const ModelSpec&) -> absl::StatusOr<std::unique_ptr<Learner>> {
    return absl::ResourceExhaustedError("no room");
  };
  EXPECT_EQ(DecodeCheckpoint(Encoded(), full).status(), absl::ResourceExhaustedError("no room"));
}

TEST(CheckpointTest, ForeignFilesAreNoCheckpoints) {
  ExpectInvalid("", "only 0 bytes");
  ExpectInvalid("not a checkpoint at all", "a header of");
  ExpectInvalid(safetensors::Write({}, {}), "not a checkpoint of tally");
  EXPECT_EQ(FileDigestOf("hello").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(Sha256Test, AgreesWithThePublishedExamples) {
  EXPECT_EQ(Sha256Hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Sha256Hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

}  // namespace
}  // namespace tally
