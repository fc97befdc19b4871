#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

namespace ech0 {

/// Where arrays of floats are kept between the stages of a long run: in memory as long as an allowance lasts, the
/// others in one file that has no name any more, so that nothing is left of it however the program ends.
class Spill {
public:
    /// @param folder  where the file goes, made when first needed; @param memory_bytes  the allowance
    Spill(std::filesystem::path folder, int64_t memory_bytes);
    ~Spill();
    Spill(const Spill&) = delete;
    Spill& operator=(const Spill&) = delete;

    int64_t spilled_bytes() const { return end_; }

private:
    friend class FloatArrays;
    bool take_memory(int64_t bytes);
    void give_memory(int64_t bytes);
    int64_t take_place(int64_t bytes);  // offset in the file
    void give_place(int64_t offset, int64_t bytes);
    void write(int64_t offset, std::span<const float> values);
    void read(int64_t offset, std::span<float> values) const;

    std::filesystem::path folder_;
    std::mutex mutex_;
    int64_t allowance_ = 0, end_ = 0;
    std::multimap<int64_t, int64_t> free_places_;  // bytes to offset
    int fd_ = -1;
};

/// Numbered arrays of floats (hidden states of chunks, logits), in memory or spilled.
class FloatArrays {
public:
    /// @param spill  nullptr: all in memory
    explicit FloatArrays(std::shared_ptr<Spill> spill = nullptr) : spill_(std::move(spill)) {}
    ~FloatArrays();
    FloatArrays(FloatArrays&&) noexcept = default;
    FloatArrays& operator=(FloatArrays&& other) noexcept;

    size_t size() const { return places_.size(); }

    /// Replace array i; i == size() appends.
    /// @throws FileError (a full disk)
    void put(size_t i, std::span<const float> values);

    /// Array i; valid until another one is asked for or it is replaced. Not from two threads at once.
    std::span<const float> operator[](size_t i) const;

private:
    struct Place {
        std::vector<float> memory;
        int64_t offset = -1;  // in the spill's file; -1: in memory
        size_t n = 0;
    };
    void leave(Place& place) noexcept;

    std::shared_ptr<Spill> spill_;
    std::vector<Place> places_;
    mutable std::vector<float> shown_;  // the spilled array that was asked for last
};

}  // namespace ech0
