using System.Globalization;
using System.Text.RegularExpressions;
using Espalier.Configuration;

namespace Espalier.Planning;

/// <summary>What lies between ranks: the slowest connection of their ring.</summary>
/// <param name="Name">How the user calls it.</param>
/// <param name="BytesPerSecond">What one rank sends while it receives as much.</param>
/// <param name="Latency">The seconds from a message's sending to its arrival, however short it is.</param>
internal sealed partial record Network(string Name, double BytesPerSecond, double Latency)
{
    /// <summary>What is taken where nobody says otherwise.</summary>
    public const string Default = "ethernet-25";

    // Nine tenths of the line's rate: headers and pauses take the rest. Latencies are those that programs see: TCP through the kernel,
    // and remote memory access where there is InfiniBand. NVLink's rates are what NCCL's ring reaches on a host of eight.
    private static readonly Network[] Known =
    [
        new("ethernet-1", 0.9 * 1e9 / 8, 50e-6),
        new("ethernet-10", 0.9 * 10e9 / 8, 50e-6),
        new("ethernet-25", 0.9 * 25e9 / 8, 50e-6),
        new("ethernet-100", 0.9 * 100e9 / 8, 30e-6),
        new("infiniband-200", 0.9 * 200e9 / 8, 5e-6),
        new("infiniband-400", 0.9 * 400e9 / 8, 5e-6),
        new("pcie-4", 20e9, 10e-6),
        new("nvlink-3", 230e9, 5e-6),
        new("nvlink-4", 360e9, 5e-6),
    ];

    /// <summary>The names that there are, one after the other.</summary>
    public static string Names => string.Join(", ", Known.Select(network => network.Name));

    /// <summary>The seconds that a ring takes to give all ranks the sum of what each has.</summary>
    /// <param name="ranks">N.</param>
    /// <param name="bytes">What each has.</param>
    /// <param name="messages">In how many pieces it is sent, one after the other.</param>
    public double AllReduceSeconds(int ranks, double bytes, double messages) =>
        (RingBytes(ranks, bytes) / BytesPerSecond) + (2 * (ranks - 1) * Latency * messages);

    /// <summary>The bytes that leave each rank, the least there can be: 2 (N - 1) / N of what each has.</summary>
    public static double RingBytes(int ranks, double bytes) => 2 * (ranks - 1.0) / ranks * bytes;

    /// <summary>Reads a name, or a rate and a latency such as <c>25Gbit/s,50us</c>.</summary>
    /// <exception cref="UserErrorException">It is neither.</exception>
    public static Network Parse(string text)
    {
        if (Array.Find(Known, network => network.Name == text) is Network known)
        {
            return known;
        }

        Match match = RateAndLatency().Match(text);
        if (match.Success && Value("rate") is > 0 and double rate && Value("latency") is >= 0 and double latency)
        {
            double perSecond = match.Groups["bits"].Success ? rate / 8 : rate;
            return new Network(text, perSecond * Scale(match.Groups["scale"].Value), latency * match.Groups["unit"].Value switch
            {
                "us" => 1e-6,
                "ms" => 1e-3,
                _ => 1,
            });
        }

        throw new UserErrorException(
            $"--network: '{text}' is no network. Did you mean {NearestName.Of(text, Known.Select(network => network.Name))}?",
            $"Name one of {Names}; or give its rate and latency: 25Gbit/s,50us or 3.1e9,50us (bytes a second).");

        double? Value(string group) =>
            double.TryParse(match.Groups[group].Value, NumberStyles.Float, CultureInfo.InvariantCulture, out double value)
                && double.IsFinite(value) ? value : null;

        static double Scale(string scale) => scale switch { "G" => 1e9, "M" => 1e6, _ => 1 };
    }

    [GeneratedRegex(@"^(?<rate>[0-9.]+(e[+-]?[0-9]+)?)((?<scale>[GM])?(B|(?<bits>bit))/s)?,(?<latency>[0-9.]+(e-?[0-9]+)?)(?<unit>us|ms|s)?$")]
    private static partial Regex RateAndLatency();
}
