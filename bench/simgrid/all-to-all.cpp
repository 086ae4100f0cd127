/*
 * The all-to-all of `windtunnel bench events` in SimGrid: 64 ranks, each with a message for every other one, through one
 * fat-tree plane, several times. Same links, paths and drawn sizes. SimGrid shares the links among flows and asks for
 * the end of each flow; it knows neither packets nor hops, and carries no bytes.
 * Only the simulation is timed: the platform stands before it, and one exchange more comes first to warm up.
 */
#include <simgrid/s4u.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace sg4 = simgrid::s4u;

struct Options {
  int ranks = 64;
  /* All-to-alls, one after another. */
  int exchanges = 10;
  int repetitions = 1;
  bool json = false;
};

static const int NODES_PER_LEAF = 16;
static const int SPINES = 16;
static const double LINK_BYTES_PER_SECOND = 50e9;
/* InfiniBand as Windtunnel has it; what an end takes is added to the node's own link. */
static const double LINK_SECONDS = 0.45e-6, END_SECONDS = 0.95e-6;
static const int LARGEST_BYTES = 60000;
static const double EXCHANGE_SECONDS = 1e-3;
static const uint32_t SEED = 3;

/* Windtunnel's random streams (packages/base/src/random.ts), for the same sizes. */
static uint32_t mix32(uint32_t x) {
  x = (x ^ (x >> 16)) * 0x7feb352du;
  x = (x ^ (x >> 15)) * 0x846ca68bu;
  return x ^ (x >> 16);
}

class RandomStream {
  uint32_t key_, index_ = 0;

public:
  RandomStream(uint32_t seed, const std::string& name) {
    uint32_t hash = 0x811c9dc5u ^ mix32(seed);
    for (const unsigned char unit : name) hash = (hash ^ unit) * 0x01000193u;
    key_ = mix32(hash);
  }

  uint32_t below(uint32_t count) {
    const uint32_t index = index_++;
    const uint32_t drawn = mix32(mix32(index ^ key_) + key_ * 0x9e3779b1u + index);
    return static_cast<uint32_t>((static_cast<uint64_t>(drawn) * count) >> 32);
  }
};

[[noreturn]] static void refuse(const std::string& message) {
  std::fprintf(stderr, "all-to-all: %s; --help lists the options\n", message.c_str());
  std::exit(2);
}

static int wholeNumber(const char* option, const char* text, int least, int most) {
  const std::string range = "a whole number from " + std::to_string(least) + " to " + std::to_string(most);
  if (text == nullptr) refuse(std::string(option) + " needs " + range);
  char* end = nullptr;
  const long value = std::strtol(text, &end, 10);
  if (end == text || *end != '\0' || value < least || value > most)
    refuse(std::string(option) + " needs " + range + ", not \"" + text + "\"");
  return static_cast<int>(value);
}

static void printHelp() {
  std::puts("Usage: all-to-all [options]\n"
            "\n"
            "the all-to-all of `windtunnel bench events` in SimGrid\n"
            "\n"
            "  --exchanges <count>    all-to-alls, one after another (default: 10)\n"
            "  --ranks <count>        ranks, one for each node (default: 64)\n"
            "  --repetitions <count>  timed repetitions, of which the median counts (default: 1)\n"
            "  --json                 print one line of JSON and nothing else\n"
            "  --cfg=<key:value>      for SimGrid, as --cfg=network/model:LV08");
  std::exit(0);
}

static Options readOptions(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; i++) {
    const std::string name = argv[i];
    if (name == "--exchanges") options.exchanges = wholeNumber("--exchanges", argv[++i], 1, 100000);
    else if (name == "--ranks") options.ranks = wholeNumber("--ranks", argv[++i], 2, 1024);
    else if (name == "--repetitions") options.repetitions = wholeNumber("--repetitions", argv[++i], 1, 1000);
    else if (name == "--json") options.json = true;
    else if (name == "--help" || name == "-h") printHelp();
    else refuse("unknown option \"" + name + "\"");
  }
  return options;
}

/* By source rank, then target rank; nothing to itself. */
static std::vector<std::vector<uint32_t>> drawSizes(int ranks) {
  std::vector<std::vector<uint32_t>> sizes;
  for (int source = 0; source < ranks; source++) {
    RandomStream random(SEED, "event bench, parcels of " + std::to_string(source));
    std::vector<uint32_t> row(ranks, 0);
    for (int target = 0; target < ranks; target++)
      if (target != source) row[target] = 1 + random.below(LARGEST_BYTES);
    sizes.push_back(row);
  }
  return sizes;
}

static bool onOneLeaf(int source, int target) { return source / NODES_PER_LEAF == target / NODES_PER_LEAF; }

/* A link for each direction of each cable; the target rank modulo the spines chooses the spine. */
static std::vector<sg4::Host*> buildPlane(int ranks) {
  sg4::NetZone* zone = sg4::create_full_zone("plane");
  const int leaves = (ranks + NODES_PER_LEAF - 1) / NODES_PER_LEAF;
  const auto addLink = [zone](const std::string& name, double latency) {
    return zone->create_link(name, LINK_BYTES_PER_SECOND)->set_latency(latency)->seal();
  };
  std::vector<sg4::Host*> hosts;
  std::vector<const sg4::Link*> fromNode, toNode, toSpine, fromSpine;
  for (int rank = 0; rank < ranks; rank++) {
    const std::string name = "node " + std::to_string(rank);
    hosts.push_back(zone->create_host(name, 1e9)->seal());
    fromNode.push_back(addLink(name + " up", LINK_SECONDS + END_SECONDS));
    toNode.push_back(addLink(name + " down", LINK_SECONDS + END_SECONDS));
  }
  for (int leaf = 0; leaf < leaves; leaf++) {
    for (int spine = 0; spine < SPINES; spine++) {
      const std::string name = "leaf " + std::to_string(leaf) + " spine " + std::to_string(spine);
      toSpine.push_back(addLink(name + " up", LINK_SECONDS));
      fromSpine.push_back(addLink(name + " down", LINK_SECONDS));
    }
  }
  for (int source = 0; source < ranks; source++) {
    for (int target = 0; target < ranks; target++) {
      if (source == target) continue;
      std::vector<sg4::LinkInRoute> route{sg4::LinkInRoute(fromNode[source])};
      if (!onOneLeaf(source, target)) {
        const int spine = target % SPINES;
        route.emplace_back(toSpine[source / NODES_PER_LEAF * SPINES + spine]);
        route.emplace_back(fromSpine[target / NODES_PER_LEAF * SPINES + spine]);
      }
      route.emplace_back(toNode[target]);
      zone->add_route(hosts[source]->get_netpoint(), hosts[target]->get_netpoint(), nullptr, nullptr, route, false);
    }
  }
  zone->seal();
  return hosts;
}

struct Outcome {
  uint64_t messages = 0;
  uint64_t bytesOverLinks = 0;
  /* From the start of an exchange until its last message has arrived: the longest of all. */
  double longestExchangeSeconds = 0;
};

struct Plan {
  const std::vector<sg4::Host*>& hosts;
  const std::vector<std::vector<uint32_t>>& sizes;
  double start;
  int exchanges;
};

/* What a rank does: sends to all others, waits until all has arrived, and begins again a millisecond later. */
static void runRank(int rank, const Plan& plan, Outcome& outcome) {
  const auto& [hosts, sizes, start, exchanges] = plan;
  const int ranks = static_cast<int>(hosts.size());
  for (int exchange = 0; exchange < exchanges; exchange++) {
    const double begin = start + exchange * EXCHANGE_SECONDS;
    sg4::this_actor::sleep_until(begin);
    std::vector<sg4::CommPtr> sent;
    sent.reserve(ranks - 1);
    for (int target = 0; target < ranks; target++)
      if (target != rank) sent.push_back(sg4::Comm::sendto_async(hosts[rank], hosts[target], sizes[rank][target]));
    for (const sg4::CommPtr& message : sent) message->wait();
    for (int target = 0; target < ranks; target++) {
      if (target == rank) continue;
      outcome.messages++;
      outcome.bytesOverLinks += static_cast<uint64_t>(sizes[rank][target]) * (onOneLeaf(rank, target) ? 2 : 4);
    }
    outcome.longestExchangeSeconds = std::max(outcome.longestExchangeSeconds, sg4::Engine::get_clock() - begin);
  }
}

/* Seconds on the wall clock; stops the program when not every message arrives within its exchange. */
static double runExchanges(const sg4::Engine& engine, const Plan& plan, Outcome& outcome) {
  const int ranks = static_cast<int>(plan.hosts.size());
  for (int rank = 0; rank < ranks; rank++) {
    sg4::Actor::create("rank " + std::to_string(rank), plan.hosts[rank],
                       [rank, &plan, &outcome] { runRank(rank, plan, outcome); });
  }
  const auto before = std::chrono::steady_clock::now();
  engine.run();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - before;
  const uint64_t expected = static_cast<uint64_t>(plan.exchanges) * ranks * (ranks - 1);
  if (outcome.messages != expected || outcome.longestExchangeSeconds >= EXCHANGE_SECONDS) {
    std::fprintf(stderr, "all-to-all: %llu messages of %llu arrived, the longest exchange took %g s\n",
                 static_cast<unsigned long long>(outcome.messages), static_cast<unsigned long long>(expected),
                 outcome.longestExchangeSeconds);
    std::exit(1);
  }
  return took.count();
}

static void print(const Options& options, const Outcome& outcome, double seconds) {
  const auto messages = static_cast<unsigned long long>(outcome.messages);
  const auto bytes = static_cast<unsigned long long>(outcome.bytesOverLinks);
  const std::string name = "All-to-all of " + std::to_string(options.ranks) + " ranks, SimGrid";
  const double microseconds = outcome.longestExchangeSeconds * 1e6;
  if (options.json) {
    std::printf("[{\"name\":\"%s\",\"work\":{\"exchanges\":%d,\"messages\":%llu,\"bytes over links\":%llu},"
                "\"seconds\":%.6g,\"rates\":{\"messages/s\":%.6g},"
                "\"notes\":[\"the longest exchange takes %.4g µs of virtual time\"]}]\n",
                name.c_str(), options.exchanges, messages, bytes, seconds, outcome.messages / seconds, microseconds);
    return;
  }
  std::printf("%s\n  work  exchanges         %d\n        messages          %llu\n        bytes over links  %llu\n"
              "  time  seconds           %.3g\n  rate  messages/s        %.0f\n"
              "  median of %d; the longest exchange takes %.4g µs of virtual time\n",
              name.c_str(), options.exchanges, messages, bytes, seconds, outcome.messages / seconds,
              options.repetitions, microseconds);
}

int main(int argc, char** argv) {
  /* Acknowledgements and the shares and windows of TCP are no part of the work; options for SimGrid come after these. */
  std::vector<std::string> forEngine{argv[0], "--log=xbt_cfg.thresh:warning", "--cfg=network/model:CM02",
                                     "--cfg=network/crosstraffic:0", "--cfg=network/TCP-gamma:0"};
  std::vector<char*> own{argv[0]};
  for (int i = 1; i < argc; i++) {
    if (std::strncmp(argv[i], "--cfg=", 6) == 0 || std::strncmp(argv[i], "--log=", 6) == 0)
      forEngine.emplace_back(argv[i]);
    else own.push_back(argv[i]);
  }
  own.push_back(nullptr);
  const Options options = readOptions(static_cast<int>(own.size()) - 1, own.data());

  std::vector<char*> engineArguments;
  for (std::string& argument : forEngine) engineArguments.push_back(argument.data());
  int engineCount = static_cast<int>(engineArguments.size());
  engineArguments.push_back(nullptr);
  sg4::Engine engine(&engineCount, engineArguments.data());

  const std::vector<std::vector<uint32_t>> sizes = drawSizes(options.ranks);
  const std::vector<sg4::Host*> hosts = buildPlane(options.ranks);
  std::vector<double> seconds;
  Outcome outcome;
  for (int repetition = -1; repetition < options.repetitions; repetition++) {
    outcome = Outcome();
    const double start = std::ceil(sg4::Engine::get_clock() / EXCHANGE_SECONDS + 1) * EXCHANGE_SECONDS;
    const Plan plan{hosts, sizes, start, repetition < 0 ? 1 : options.exchanges};
    const double took = runExchanges(engine, plan, outcome);
    if (repetition >= 0) seconds.push_back(took);
  }
  std::sort(seconds.begin(), seconds.end());
  print(options, outcome, seconds[seconds.size() / 2]);
  return 0;
}
