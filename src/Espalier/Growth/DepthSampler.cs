namespace Espalier.Growth;

/// <summary>How the executed depth d of a micro-batch is drawn, in [stored layers N, final layers L].</summary>
public enum DepthSamplerKind
{
    /// <summary>Low-value-prioritized: mostly shallow, rarely deep (Apollo, released form).</summary>
    Lvps,

    /// <summary>Every depth alike (Apollo's US).</summary>
    Uniform,

    /// <summary>Always L (Apollo's FS).</summary>
    Full,

    /// <summary>Always N: no sharing in training.</summary>
    None,

    /// <summary>A sigmoid between the two ends (Apollo's released code).</summary>
    Sigmoid,

    /// <summary>Probability proportional to (d - N + 1)^-`inverse_power` (ours).</summary>
    InversePower,
}

/// <summary>Draws the number of executed layers d in [N, L], N stored and L final layers (Apollo, arXiv 2401.09192, "LVPS").</summary>
public sealed class DepthSampler
{
    // The authors' lower end of the uniform draw; keeps the hyperbola away from its pole.
    private const double SmallestDraw = 1e-6;

    private readonly ApolloConfig _config;

    /// <summary>A sampler by the keys of a recipe's method.</summary>
    /// <param name="config">The method.</param>
    public DepthSampler(ApolloConfig config)
    {
        _config = config;
    }

    /// <summary>The depth that a uniform number stands for.</summary>
    /// <param name="uniform">In [0, 1).</param>
    /// <param name="stored">N, at least 1.</param>
    /// <param name="final">L, at least N.</param>
    public int Draw(double uniform, int stored, int final)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(stored, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(final, stored);
        if (stored == final)
        {
            return final;
        }

        double ratio = (double)final / stored;
        return _config.Sampler switch
        {
            DepthSamplerKind.None => stored,
            DepthSamplerKind.Full => final,
            DepthSamplerKind.Uniform => stored + (int)(uniform * (final - stored + 1)),
            DepthSamplerKind.Lvps => Depth(Lvps(uniform, ratio)),
            DepthSamplerKind.Sigmoid => Depth(Sigmoid(uniform, ratio)),
            DepthSamplerKind.InversePower => InversePower(uniform, stored, final),
            _ => throw new InvalidOperationException($"{_config.Sampler} is no sampler"),
        };

        // The curves give the depth as a multiple of N. L / N times N can be less than L in doubles, first for 15 / 11:
        // the full depth would never run.
        int Depth(double multiple) =>
            multiple >= ratio ? final : Math.Clamp((int)Math.Floor(multiple * stored), stored, final);
    }

    /// <summary>The probability of every depth from N to L, in that order: what <see cref="Draw"/> gives, in closed form.</summary>
    /// <inheritdoc cref="Draw"/>
    internal double[] Distribution(int stored, int final)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(stored, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(final, stored);
        int depths = final - stored + 1;
        double ratio = (double)final / stored, begin = ratio + _config.LvpsBeginOffset, end = _config.LvpsEnd;
        return _config.Sampler switch
        {
            _ when depths == 1 => [1],
            DepthSamplerKind.None => [1, .. new double[depths - 1]],
            DepthSamplerKind.Full => [.. new double[depths - 1], 1],
            DepthSamplerKind.Uniform => [.. Enumerable.Repeat(1.0 / depths, depths)],
            DepthSamplerKind.Lvps => Differences(LvpsAtLeast),
            DepthSamplerKind.Sigmoid => Differences(multiple => 0.5 + (Math.Log((begin - multiple) / (multiple - end)) / 20)),
            DepthSamplerKind.InversePower => InversePowers(),
            _ => throw new InvalidOperationException($"{_config.Sampler} is no sampler"),
        };

        // The curve falls: it is at least a depth below the number at which it crosses it.
        double LvpsAtLeast(double multiple)
        {
            double n = ((begin * SmallestDraw) - end) / (end - begin), m = end * (n + 1);
            return ((m / multiple) - n - SmallestDraw) / (1 - SmallestDraw);
        }

        double[] Differences(Func<double, double> atLeast)
        {
            double[] tails =
            [
                1,
                .. Enumerable.Range(stored + 1, depths - 1).Select(depth => Math.Clamp(atLeast((double)depth / stored), 0, 1)),
                0,
            ];
            return [.. Enumerable.Range(0, depths).Select(i => tails[i] - tails[i + 1])];
        }

        double[] InversePowers()
        {
            double[] weights = [.. Enumerable.Range(1, depths).Select(place => Math.Pow(place, -_config.InversePower))];
            double total = weights.Sum();
            return [.. weights.Select(weight => weight / total)];
        }
    }

    /// <summary>A hyperbola through (x0, begin) and (1, end): mostly shallow, rarely deep.</summary>
    private double Lvps(double uniform, double ratio)
    {
        double begin = ratio + _config.LvpsBeginOffset, end = _config.LvpsEnd;
        double n = ((begin * SmallestDraw) - end) / (end - begin);
        double m = end * (n + 1);
        double x = SmallestDraw + (uniform * (1 - SmallestDraw));
        return m / (x + n);
    }

    private double Sigmoid(double uniform, double ratio)
    {
        double begin = ratio + _config.LvpsBeginOffset, end = _config.LvpsEnd;
        return ((begin - end) / (1 + Math.Exp(20 * (uniform - 0.5)))) + end;
    }

    /// <summary>P(d) proportional to (d - N + 1)^-k; ours, in place of the paper's family that its code does not contain.</summary>
    private int InversePower(double uniform, int stored, int final)
    {
        double total = 0;
        for (int depth = stored; depth <= final; depth++)
        {
            total += Weight(depth);
        }

        double rest = uniform * total;
        int drawn = stored;
        while (drawn < final && rest >= Weight(drawn))
        {
            rest -= Weight(drawn);
            drawn++;
        }

        return drawn;

        double Weight(int depth) => Math.Pow(depth - stored + 1, -_config.InversePower);
    }
}
