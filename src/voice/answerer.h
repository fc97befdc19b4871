#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "voice/talk.h"

namespace ech0 {

/// Makes answers while somebody else listens: one thread recognizes what was said and lets the model write, a second
/// speaks each piece as soon as it is there; the first piece has the machine for itself. While nobody waits, the model
/// reads what the next message will follow. What was prepared may be dropped while nothing of it has sounded, and
/// stopped afterwards; the model is then told what was heard of it.
class Answerer {
public:
    Answerer(Audio& audio, Recognizer& recognizer, Speaker& speaker, Conversation& conversation,
             const TalkEvents& events);
    ~Answerer();  ///< gives up what is being made
    Answerer(const Answerer&) = delete;
    Answerer& operator=(const Answerer&) = delete;

    /// Begin an answer to this, but don't let it sound yet.
    /// @param pause_s  how long the end of the speech is past
    void prepare(Sound speech, double begin_s, double end_s, double pause_s);
    /// The turn is over: it may sound.
    void confirm();
    /// The turn goes on: what was prepared never was.
    void drop();
    /// Somebody speaks: silence, and remember what was heard.
    void stop();

    bool making() const;     ///< an answer is being written or spoken into the queue
    bool answering() const;  ///< likewise, or it sounds
    /// @throws what a thread threw
    void rethrow() const;
    /// The turns so far, when nothing is being made any more.
    std::vector<TalkTurn> turns();

private:
    using Clock = std::chrono::steady_clock;

    struct Job {
        Sound speech;
        TalkTurn turn;
        Clock::time_point prepared;
        std::atomic<bool> cancelled = false;
        bool dropped = false, confirmed = false, written = false, has_sound = false;  // under mutex_
        std::deque<std::string> pieces;                                               // written, not yet spoken
        std::vector<SpokenPiece> spoken;
        // Of the thinking thread: how things were, in case that this is dropped.
        std::vector<ChatMessage> before;
        std::string unanswered_before, opening_before;
        std::shared_ptr<Job> answered_before;
    };
    using JobPtr = std::shared_ptr<Job>;

    void think_loop();
    void speak_loop();
    void think(const JobPtr& job);
    void write_answer(const JobPtr& job, const std::string& text);
    void forget_dropped();
    bool was_cut_off() const;
    void tell_what_was_cut_off();
    void queue_pieces(const JobPtr& job, const std::vector<std::string>& pieces);
    void wait_for_first_sound(const JobPtr& job);
    void read_ahead();
    void speak(const JobPtr& job, const std::string& piece);
    void finish(const JobPtr& job);
    bool wait_for_piece(const JobPtr& job, std::string& piece);
    void guard(const std::function<void()>& loop);

    Audio& audio_;
    Recognizer& recognizer_;
    Speaker& speaker_;
    Conversation& conversation_;
    const TalkEvents& events_;

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    JobPtr next_, thinking_, to_speak_, current_;
    JobPtr last_answered_;    // of the thinking thread: whose answer is the conversation's last message
    std::string opening_;     // likewise: what the next message begins with, because an answer was stopped
    std::string unanswered_;  // likewise: what was said in turns that were cut off before an answer began
    std::vector<JobPtr> jobs_;
    std::exception_ptr failure_;
    bool ending_ = false;
    std::thread thinker_, voice_;
};

}  // namespace ech0
