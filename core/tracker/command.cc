#include "core/tracker/command.h"

#include <absl/status/status.h>

#include <string>
#include <type_traits>
#include <utility>

#include "core/base/fields.h"

namespace bt::tracker {

namespace {

using tracker_api::MutationId;

// Visits an operation's fields except its id, which stands in front of it, and a tree, which stands behind
// it.
template <class Codec>
struct WithoutId {
  Codec& codec;
  void operator()(const char*, const MutationId&) {}
  void operator()(const char*, const FileTree&) {}
  template <class T>
  requires(!std::same_as<std::remove_const_t<T>, MutationId> &&
           !std::same_as<std::remove_const_t<T>, FileTree>) void
  operator()(const char* name, T& value) {
    codec(name, value);
  }
};

template <class T, size_t I = 0>
constexpr size_t IndexOf() {
  if constexpr (std::same_as<T, std::variant_alternative_t<I, Operation>>) {
    return I;
  } else {
    return IndexOf<T, I + 1>();
  }
}

template <size_t... I>
void DecodeOperation(uint8_t index, Decoder& decoder, Operation& operation, std::index_sequence<I...>) {
  const auto decode = [&]<size_t kIndex>() {
    auto& chosen = operation.template emplace<kIndex>();
    std::variant_alternative_t<kIndex, Operation>::Fields(chosen, WithoutId<Decoder>{decoder});
    return true;
  };
  (void)((index == I && decode.template operator()<I>()) || ...);
}

}  // namespace

template <class T>
Slice EncodeCommand(const MutationId& id, const T& operation, Source source) {
  std::string out;
  Encoder encoder(out);
  encoder.Put(id);
  encoder.Put(source);
  if constexpr (std::same_as<T, tracker_api::Register>) {
    const FileTree& tree = operation.metainfo.tree;
    encoder.Put(tree.empty() ? static_cast<uint8_t>(IndexOf<T>()) : kRegisterTreeNumber);
    T::Fields(operation, WithoutId<Encoder>{encoder});
    if (!tree.empty()) encoder.Put(tree);
  } else {
    encoder.Put(static_cast<uint8_t>(IndexOf<T>()));
    T::Fields(operation, WithoutId<Encoder>{encoder});
  }
  return Slice::Own(std::move(out));
}

template Slice EncodeCommand(const MutationId&, const tracker_api::Register&, Source);
template Slice EncodeCommand(const MutationId&, const tracker_api::Offer&, Source);
template Slice EncodeCommand(const MutationId&, const tracker_api::Withdraw&, Source);
template Slice EncodeCommand(const MutationId&, const Claims&, Source);
template Slice EncodeCommand(const MutationId&, const Tick&, Source);
template Slice EncodeCommand(const MutationId&, const SetLimits&, Source);
template Slice EncodeCommand(const MutationId&, const RaiseLevel&, Source);

namespace {

CommandHead TakeHead(Decoder& decoder) {
  CommandHead head;
  decoder("id", head.id);
  decoder("source", head.source);
  decoder("operation", head.operation);
  return head;
}

}  // namespace

absl::StatusOr<Command> DecodeCommand(const Slice& bytes) {
  Decoder decoder(bytes);
  const CommandHead head = TakeHead(decoder);
  Command command{.id = head.id, .source = head.source};
  const bool with_tree = head.operation == kRegisterTreeNumber;
  const uint8_t index = with_tree ? IndexOf<tracker_api::Register>() : head.operation;
  if (decoder.ok() && index >= std::variant_size_v<Operation>) {
    return absl::UnimplementedError("a command of a kind that this program does not know");
  }
  if (decoder.ok()) {
    DecodeOperation(index, decoder, command.operation,
                    std::make_index_sequence<std::variant_size_v<Operation>>());
  }
  if (decoder.ok() && with_tree) {
    FileTree& tree = std::get<tracker_api::Register>(command.operation).metainfo.tree;
    decoder("tree", tree);
    if (decoder.ok() && tree.empty()) return absl::InvalidArgumentError("a tree without files");
  }
  if (!decoder.ok()) return decoder.status();
  if (decoder.remaining() != 0) return absl::InvalidArgumentError("bytes left over after the command");
  std::visit([&](auto& operation) { operation.id = command.id; }, command.operation);
  return command;
}

absl::StatusOr<CommandHead> DecodeCommandHead(const Slice& bytes) {
  Decoder decoder(bytes);
  const CommandHead head = TakeHead(decoder);
  if (!decoder.ok()) return decoder.status();
  return head;
}

}  // namespace bt::tracker
