// heavy.cc: templates by the hundred, for a compiler that is under test itself.
// It is only compiled, never run.
#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <numeric>
#include <optional>
#include <regex>
#include <sstream>
#include <string>
#include <tuple>
#include <unordered_map>
#include <variant>
#include <vector>

template <int N> struct node {
    std::map<int, std::vector<std::string>> names;
    std::unordered_map<std::string, std::array<double, N + 1>> values;
    std::variant<int, double, std::string, std::vector<node<N - 1>>> more;

    std::string describe(const std::string &prefix) const {
        std::ostringstream out;
        for (const auto &[key, list] : names) {
            out << prefix << key << ':';
            std::for_each(list.begin(), list.end(),
                          [&](const auto &name) { out << name << ','; });
        }
        for (const auto &[key, row] : values) {
            out << key << '='
                << std::accumulate(row.begin(), row.end(), double(N));
        }
        std::visit(
            [&](const auto &x) {
                using X = std::decay_t<decltype(x)>;
                if constexpr (std::is_same_v<X, std::vector<node<N - 1>>>) {
                    for (const auto &child : x) {
                        out << child.describe(prefix + "  ");
                    }
                } else {
                    out << x;
                }
            },
            more);
        return out.str();
    }
};

template <> struct node<0> {
    std::string describe(const std::string &prefix) const {
        return prefix;
    }
};

std::string describe(const node<6> &n) {
    return n.describe("");
}

std::vector<std::string> words(const std::string &text) {
    static const std::regex word("([a-z]+)[^a-z]*", std::regex::icase);
    std::vector<std::string> found;
    for (std::sregex_iterator i(text.begin(), text.end(), word), end; i != end;
         ++i) {
        found.push_back((*i)[1]);
    }
    std::sort(found.begin(), found.end(), std::greater<>());
    return found;
}

std::optional<double> mean(const std::vector<std::tuple<int, double>> &points) {
    if (points.empty()) {
        return std::nullopt;
    }
    double sum = std::accumulate(
        points.begin(), points.end(), 0.0,
        [](double s, const auto &p) { return s + std::get<1>(p); });
    return sum / static_cast<double>(points.size());
}
