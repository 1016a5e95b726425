#pragma once

// BlockStoreTest: a block store on a loop of its own, in a folder of its own.

#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/digest.h"
#include "nodes/content/block_store.h"
#include "tests/net/support.h"

namespace bt::nodes::test {

inline constexpr FileId kFile(0);
inline constexpr size_t kBlock = 16 * 1024;

class BlockStoreTest : public testing::Test {
 protected:
  BlockStoreTest() { Restart(); }

  // As a killed and restarted process would: nothing but the files remains.
  void Restart(BlockStoreOptions options = {}) {
    store_.reset();
    inputs_.clear();
    store_ = std::make_unique<BlockStore>(loop_, options, [this](const swarm::OpenFile& open) {
      return FilePlace{directory_ / open.name, overwrite_};
    });
    store_->Connect([this](swarm::FileDone input) { inputs_.push_back(std::move(input)); },
                    [this](bool congested) { congestion_.push_back(congested); });
  }

  // The next completion, which must be a T.
  template <class T>
  T Next() {
    EXPECT_TRUE(net::RunUntil(loop_, [this] { return !inputs_.empty(); }));
    if (inputs_.empty()) return T{};
    const swarm::FileDone input = std::move(inputs_.front());
    inputs_.erase(inputs_.begin());
    const T* typed = std::get_if<T>(&input);
    EXPECT_NE(typed, nullptr);
    return typed == nullptr ? T{} : *typed;
  }

  swarm::FileOpened Open(swarm::FileMode mode, const std::string& name, uint64_t length) {
    store_->Execute(swarm::OpenFile{kFile, mode, name, length, {}});
    return Next<swarm::FileOpened>();
  }

  void StoreAll(const std::string& bytes) {
    uint64_t token = 0;
    for (size_t at = 0; at < bytes.size(); at += kBlock) {
      store_->Execute(
          swarm::StoreBlock{swarm::BlockToken(++token), kFile, at, Slice::Copy(bytes.substr(at, kBlock))});
    }
    ASSERT_TRUE(net::RunUntil(loop_, [&] { return inputs_.size() == token; }));
    for (const swarm::FileDone& input : inputs_) {
      const auto& stored = std::get<swarm::BlockStored>(input);
      EXPECT_TRUE(stored.status.ok()) << stored.status;
      EXPECT_EQ(stored.leaf,
                Sha256(std::string_view(bytes).substr((stored.token.value() - 1) * kBlock, kBlock)));
    }
    inputs_.clear();
  }

  bool Exists(const std::string& name) { return access((directory_ / name).c_str(), F_OK) == 0; }

  net::TemporaryDirectory directory_;
  net::Loop loop_;
  bool overwrite_ = false;
  std::vector<swarm::FileDone> inputs_;
  std::vector<bool> congestion_;
  std::unique_ptr<BlockStore> store_;
};

}  // namespace bt::nodes::test
