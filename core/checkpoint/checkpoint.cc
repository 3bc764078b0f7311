#include "core/checkpoint/checkpoint.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <memory>

#include "core/arithmetic/check.h"
#include "core/checkpoint/digest.h"
#include "core/checkpoint/safetensors.h"
#include "core/learner/model_spec_reader.h"
#include "core/text/status_macros.h"
#include "core/text/strings.h"
#include "core/text/utf8.h"

namespace tally {
namespace {

using safetensors::Metadata;
using safetensors::Tensor;
using text::StrCat;

constexpr std::string_view kFormat = "tally-checkpoint";
constexpr std::string_view kFormatVersion = "1";
constexpr std::string_view kAnnotationPrefix = "x_";
// What the canonical header has before the 64 digits. Inside a JSON text its quotes would be
// escaped, so it occurs once.
constexpr std::string_view kFileDigestMark = "\"file_digest\":\"";
// A file that holds this near its start was once a checkpoint of ours.
constexpr std::string_view kFormatMark = "\"format\":\"tally-checkpoint\"";
constexpr size_t kFormatMarkWithin = 256;

const char* const kOwnKeys[] = {"file_digest",  "format", "format_version", "name", "spec",
                                "state_digest", "step"};

absl::Status Damaged(std::string_view what) {
  return absl::DataLossError(StrCat("checkpoint: ", what));
}

std::string_view AsText(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool ConsistsOf(std::string_view text, std::string_view characters) {
  return !text.empty() && text.find_first_not_of(characters) == std::string_view::npos;
}

// One array of a learner, kept beyond the visit: names and shapes are only lent during it, and the
// bytes of some.
struct Entry {
  Tensor tensor;
  bool in_digest = true;
  std::unique_ptr<char[]> copy;  // of bytes that were lent
};

class Collector : public StateVisitor {
 public:
  void Visit(const StateEntry& entry) override {
    TALLY_CHECK(ConsistsOf(entry.name, "abcdefghijklmnopqrstuvwxyz0123456789_."));
    std::string_view bytes = AsText(entry.bytes);
    std::unique_ptr<char[]> copy;
    if (entry.lent) {
      copy.reset(new char[bytes.size()]);
      std::copy(bytes.begin(), bytes.end(), copy.get());
      bytes = {copy.get(), bytes.size()};
    }
    entries_.push_back(
        {Tensor{
             std::string(entry.name), entry.type, {entry.shape.begin(), entry.shape.end()}, bytes},
         entry.in_digest, std::move(copy)});
  }

  // Sorted by name, names unique.
  std::vector<Entry> Take() {
    const auto name = [](const Entry& entry) -> const std::string& { return entry.tensor.name; };
    std::sort(entries_.begin(), entries_.end(),
              [&](const Entry& a, const Entry& b) { return name(a) < name(b); });
    const auto twin =
        std::adjacent_find(entries_.begin(), entries_.end(),
                           [&](const Entry& a, const Entry& b) { return name(a) == name(b); });
    TALLY_CHECK(twin == entries_.end());
    return std::move(entries_);
  }

 private:
  std::vector<Entry> entries_;
};

std::vector<Entry> EntriesOf(Learner& learner) {
  Collector collector;
  learner.VisitState(collector);
  return collector.Take();
}

// FORMAT.md, "State digest".
std::string DigestOf(const ModelSpec& spec, const std::vector<Entry>& entries) {
  Sha256 sha;
  sha.UpdateSized("tally-state-digest-1");
  sha.UpdateSized(CanonicalSpec(spec));
  sha.UpdateUint64(static_cast<uint64_t>(std::count_if(
      entries.begin(), entries.end(), [](const Entry& entry) { return entry.in_digest; })));
  for (const Entry& entry : entries) {
    if (!entry.in_digest) continue;
    sha.UpdateSized(entry.tensor.name);
    sha.UpdateSized(safetensors::DtypeName(entry.tensor.type));
    sha.UpdateUint64(entry.tensor.shape.size());
    for (const uint64_t dimension : entry.tensor.shape) sha.UpdateUint64(dimension);
    sha.UpdateSized(entry.tensor.bytes);
  }
  return sha.Hex();
}

// Where the digits of the file digest are in `bytes`, or npos.
size_t FileDigestAt(std::string_view bytes) {
  const size_t mark = bytes.find(kFileDigestMark);
  if (mark == std::string_view::npos) return mark;
  const size_t at = mark + kFileDigestMark.size();
  return at + kDigestDigits <= bytes.size() ? at : std::string_view::npos;
}

// SHA-256 of the file with the digits at `at` as '0'.
std::string ComputeFileDigest(std::string_view bytes, size_t at) {
  Sha256 sha;
  sha.Update(bytes.substr(0, at));
  sha.Update(std::string(kDigestDigits, '0'));
  sha.Update(bytes.substr(at + kDigestDigits));
  return sha.Hex();
}

Metadata MetadataOf(Learner& learner, const Annotations& annotations, std::string state_digest) {
  Metadata metadata = {{"file_digest", std::string(kDigestDigits, '0')},
                       {"format", std::string(kFormat)},
                       {"format_version", std::string(kFormatVersion)},
                       {"name", learner.spec().name},
                       {"spec", CanonicalSpec(learner.spec())},
                       {"state_digest", std::move(state_digest)},
                       {"step", StrCat(learner.step())}};
  for (const auto& [key, value] : annotations) {
    TALLY_CHECK(ConsistsOf(key, "abcdefghijklmnopqrstuvwxyz0123456789_"));
    TALLY_CHECK(text::IsUtf8(value));
    metadata.emplace(StrCat(kAnnotationPrefix, key), value);
  }
  return metadata;
}

// Format and version, before anything that a later version may have changed.
absl::Status CheckFormat(const Metadata& metadata) {
  const auto format = metadata.find("format");
  if (format == metadata.end() || format->second != kFormat) {
    return absl::InvalidArgumentError(
        StrCat("not a checkpoint of tally: metadata has no format: ", kFormat));
  }
  const auto version = metadata.find("format_version");
  if (version == metadata.end() || version->second != kFormatVersion) {
    const std::string found = version == metadata.end() ? "none" : version->second.substr(0, 16);
    return absl::InvalidArgumentError(
        StrCat("checkpoint of format version ", text::JsonQuote(found),
               "; this program reads version ", kFormatVersion, ": use a newer one"));
  }
  return absl::OkStatus();
}

absl::Status CheckKeys(const Metadata& metadata) {
  for (const char* key : kOwnKeys) {
    if (!metadata.contains(key)) return Damaged(StrCat("metadata lacks ", key));
  }
  for (const auto& [key, value] : metadata) {
    const bool own = std::find(std::begin(kOwnKeys), std::end(kOwnKeys), key) != std::end(kOwnKeys);
    if (!own && !key.starts_with(kAnnotationPrefix)) {
      return Damaged(StrCat("metadata has an unknown key ", text::JsonQuote(key.substr(0, 64))));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckFileDigest(std::string_view bytes, const std::string& stored) {
  const size_t at = FileDigestAt(bytes);
  if (at == std::string_view::npos) return Damaged("the file digest is not where it belongs");
  const std::string computed = ComputeFileDigest(bytes, at);
  if (computed == stored) return absl::OkStatus();
  return Damaged(StrCat("file_digest ", text::JsonQuote(stored.substr(0, kDigestDigits)),
                        " but the bytes give ", computed, "; the file was changed or torn"));
}

absl::StatusOr<ModelSpec> ReadSpec(const Metadata& metadata) {
  const std::string& canonical = metadata.at("spec");
  TALLY_ASSIGN_OR_RETURN(ModelSpec spec, ModelSpecFromJson(canonical, "checkpoint: spec"));
  if (CanonicalSpec(spec) != canonical) return Damaged("spec is not in canonical form");
  spec.name = metadata.at("name");
  if (!spec.name.empty()) TALLY_RETURN_IF_ERROR(CheckName("checkpoint: name", spec.name));
  return spec;
}

std::string Described(const Tensor& tensor) {
  std::string shape;
  for (const uint64_t dimension : tensor.shape) {
    text::StrAppend(&shape, shape.empty() ? "" : ",", dimension);
  }
  return StrCat(safetensors::DtypeName(tensor.type), "[", shape, "]");
}

// The file holds exactly the arrays of the learner; both are sorted by name.
absl::Status CompareArrays(const std::vector<Entry>& wanted, const std::vector<Tensor>& stored) {
  for (size_t i = 0; i < std::max(wanted.size(), stored.size()); ++i) {
    if (i == stored.size() || (i < wanted.size() && wanted[i].tensor.name < stored[i].name)) {
      return Damaged(StrCat("array ", wanted[i].tensor.name, " is missing"));
    }
    if (i == wanted.size() || stored[i].name < wanted[i].tensor.name) {
      return Damaged(StrCat("array ", text::JsonQuote(stored[i].name.substr(0, 64)),
                            " does not belong to a model of this spec"));
    }
    if (wanted[i].tensor.type != stored[i].type || wanted[i].tensor.shape != stored[i].shape) {
      return Damaged(StrCat("array ", stored[i].name, " is ", Described(stored[i]), ", expected ",
                            Described(wanted[i].tensor)));
    }
  }
  return absl::OkStatus();
}

// Copies into the learner's arrays; CompareArrays has passed.
class Restorer : public StateVisitor {
 public:
  explicit Restorer(const std::vector<Tensor>& stored) : stored_(stored) {}

  void Visit(const StateEntry& entry) override {
    const auto found = std::lower_bound(
        stored_.begin(), stored_.end(), entry.name,
        [](const Tensor& tensor, std::string_view name) { return tensor.name < name; });
    TALLY_CHECK(found != stored_.end() && found->name == entry.name);
    TALLY_CHECK(found->bytes.size() == entry.bytes.size());
    if (!entry.bytes.empty()) {
      std::memcpy(entry.bytes.data(), found->bytes.data(), entry.bytes.size());
    }
  }

 private:
  const std::vector<Tensor>& stored_;
};

// The learner now says of itself what the file says.
absl::Status CheckRestored(Learner& learner, const Metadata& metadata) {
  TALLY_RETURN_IF_ERROR(learner.CheckRestoredState());
  if (StrCat(learner.step()) != metadata.at("step")) {
    return Damaged(StrCat("step ", text::JsonQuote(metadata.at("step").substr(0, 32)),
                          " but the state is of step ", learner.step()));
  }
  const std::string digest = StateDigest(learner);
  if (digest == metadata.at("state_digest")) return absl::OkStatus();
  return Damaged(StrCat("state_digest ",
                        text::JsonQuote(metadata.at("state_digest").substr(0, kDigestDigits)),
                        " but the arrays give ", digest));
}

bool WasOurs(std::string_view bytes) {
  return bytes.substr(0, kFormatMarkWithin).find(kFormatMark) != std::string_view::npos;
}

}  // namespace

std::string StateDigest(Learner& learner) { return DigestOf(learner.spec(), EntriesOf(learner)); }

std::string EncodeCheckpoint(Learner& learner, const Annotations& annotations) {
  std::vector<Entry> entries = EntriesOf(learner);
  const Metadata metadata = MetadataOf(learner, annotations, DigestOf(learner.spec(), entries));
  std::vector<Tensor> tensors;
  for (Entry& entry : entries) tensors.push_back(std::move(entry.tensor));
  std::string bytes = safetensors::Write(metadata, std::move(tensors));
  const size_t at = FileDigestAt(bytes);
  TALLY_CHECK(at != std::string::npos);
  bytes.replace(at, kDigestDigits, ComputeFileDigest(bytes, at));
  return bytes;
}

absl::StatusOr<std::string> FileDigestOf(std::string_view bytes) {
  const size_t at = WasOurs(bytes) ? FileDigestAt(bytes) : std::string_view::npos;
  if (at == std::string_view::npos) {
    return absl::InvalidArgumentError("not a checkpoint of tally: no file digest");
  }
  return std::string(bytes.substr(at, kDigestDigits));
}

absl::StatusOr<Checkpoint> DecodeCheckpoint(std::string_view bytes, const LearnerFactory& factory) {
  const absl::StatusOr<safetensors::File> file = safetensors::Read(bytes);
  if (!file.ok()) {
    if (!WasOurs(bytes)) return file.status();
    return Damaged(std::string(file.status().message()));
  }
  const Metadata& metadata = file->metadata;
  TALLY_RETURN_IF_ERROR(CheckFormat(metadata));
  TALLY_RETURN_IF_ERROR(CheckKeys(metadata));
  TALLY_RETURN_IF_ERROR(CheckFileDigest(bytes, metadata.at("file_digest")));
  TALLY_ASSIGN_OR_RETURN(const ModelSpec spec, ReadSpec(metadata));
  // A parameter is at least a byte: a small file cannot make us allocate a large model.
  if (ParameterCount(spec) > bytes.size()) {
    return Damaged(StrCat(bytes.size(), " bytes cannot hold the ", ParameterCount(spec),
                          " weights and biases of its spec"));
  }
  Checkpoint checkpoint;
  TALLY_ASSIGN_OR_RETURN(checkpoint.learner, factory(spec));
  Learner& learner = *checkpoint.learner;
  TALLY_RETURN_IF_ERROR(CompareArrays(EntriesOf(learner), file->tensors));
  Restorer restorer(file->tensors);
  learner.VisitState(restorer);
  TALLY_RETURN_IF_ERROR(CheckRestored(learner, metadata));
  for (const auto& [key, value] : metadata) {
    if (!key.starts_with(kAnnotationPrefix)) continue;
    checkpoint.annotations.emplace(key.substr(kAnnotationPrefix.size()), value);
  }
  checkpoint.state_digest = metadata.at("state_digest");
  checkpoint.file_digest = metadata.at("file_digest");
  return checkpoint;
}

std::string Sha256Hex(std::string_view bytes) {
  Sha256 sha;
  sha.Update(bytes);
  return sha.Hex();
}

}  // namespace tally
