using Espalier.Growth;

namespace Espalier.Tests.Growth;

public class DepthSamplerTests
{
    private const int Grid = 200_000;

    private static readonly (int Stored, int Final)[] Sizes =
        [(1, 12), (3, 12), (6, 12), (1, 24), (3, 24), (6, 24), (12, 24), (5, 7), (11, 15), (1, 2), (23, 24)];

    /// <summary>Apollo, arXiv 2401.09192: P(d' >= d) = 0.6 (r + 0.4 - d/N) / ((d/N) (r - 0.2)), r = L/N.</summary>
    [Fact]
    public void LvpsHasTheClosedForm()
    {
        foreach ((int stored, int final) in Sizes)
        {
            double ratio = (double)final / stored;
            double[] probabilities = Distribution(Sampler(DepthSamplerKind.Lvps), stored, final);
            for (int depth = stored + 1; depth <= final; depth++)
            {
                double multiple = (double)depth / stored;
                double expected = 0.6 * (ratio + 0.4 - multiple) / (multiple * (ratio - 0.2));
                Assert.Equal(expected, probabilities.Skip(depth - stored).Sum(), 5e-5);
            }
        }
    }

    [Theory]
    [InlineData(1, 12, 1.767)]
    [InlineData(3, 12, 4.226)]
    [InlineData(6, 12, 7.135)]
    [InlineData(1, 24, 2.128)]
    [InlineData(3, 24, 5.150)]
    [InlineData(6, 24, 8.685)]
    [InlineData(12, 24, 14.458)]
    public void LvpsHasThePrintedMean(int stored, int final, double expected)
    {
        double mean = Distribution(Sampler(DepthSamplerKind.Lvps), stored, final)
            .Select((probability, i) => probability * (stored + i)).Sum();
        Assert.Equal(expected, mean, 6e-4);
    }

    [Fact]
    public void LvpsHasThePrintedProbabilities()
    {
        double[] expected = [.6368, .1042, .0695, .0496, .0372, .0289, .0232, .0189, .0158, .0158];
        Assert.All(
            expected.Zip(Distribution(Sampler(DepthSamplerKind.Lvps), 3, 12)),
            pair => Assert.Equal(pair.First, pair.Second, 8e-5));
    }

    /// <summary>What is told without drawing is what drawing gives.</summary>
    [Fact]
    public void TheDistributionIsThatOfTheDraws()
    {
        foreach (DepthSamplerKind kind in Enum.GetValues<DepthSamplerKind>())
        {
            foreach ((int stored, int final) in Sizes)
            {
                double[] told = Sampler(kind).Distribution(stored, final);
                Assert.Equal(1, told.Sum(), 1e-12);
                Assert.All(told.Zip(Distribution(Sampler(kind), stored, final)), pair => Assert.Equal(pair.First, pair.Second, 2e-5));
            }

            Assert.Equal([1.0], Sampler(kind).Distribution(12, 12));
        }
    }

    [Fact]
    public void LvpsFollowsItsParameters()
    {
        // The general closed form: end (begin / y - 1) / (begin - end) for y in multiples of N.
        var sampler = new DepthSampler(new ApolloConfig
        {
            Sampler = DepthSamplerKind.Lvps, LvpsBeginOffset = 1.5, LvpsEnd = 0.9,
        });
        double[] probabilities = Distribution(sampler, 4, 16);
        for (int depth = 5; depth <= 16; depth++)
        {
            double expected = 0.9 * ((5.5 / (depth / 4.0)) - 1) / (5.5 - 0.9);
            Assert.Equal(expected, probabilities.Skip(depth - 4).Sum(), 5e-5);
        }
    }

    [Fact]
    public void UniformGivesEveryDepthAlike()
    {
        foreach ((int stored, int final) in Sizes)
        {
            Assert.All(
                Distribution(Sampler(DepthSamplerKind.Uniform), stored, final),
                probability => Assert.Equal(1.0 / (final - stored + 1), probability, 2e-5));
        }
    }

    [Fact]
    public void FullAndNoneAreTheEnds()
    {
        Assert.Equal(1, Distribution(Sampler(DepthSamplerKind.Full), 3, 12)[^1], 9);
        Assert.Equal(1, Distribution(Sampler(DepthSamplerKind.None), 3, 12)[0], 9);
    }

    /// <summary>The sigmoid inverted: y >= t where x is at most 0.5 + ln((begin - t) / (t - end)) / 20.</summary>
    [Fact]
    public void SigmoidHasTheClosedForm()
    {
        foreach ((int stored, int final) in Sizes)
        {
            double begin = ((double)final / stored) + 0.4;
            double[] probabilities = Distribution(Sampler(DepthSamplerKind.Sigmoid), stored, final);
            for (int depth = stored + 1; depth <= final; depth++)
            {
                double multiple = (double)depth / stored;
                double expected = Math.Clamp(0.5 + (Math.Log((begin - multiple) / (multiple - 0.6)) / 20), 0, 1);
                Assert.Equal(expected, probabilities.Skip(depth - stored).Sum(), 2e-5);
            }
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(5)]
    [InlineData(0.5)]
    public void InversePowerFallsWithThePower(double power)
    {
        var sampler = new DepthSampler(new ApolloConfig
        {
            Sampler = DepthSamplerKind.InversePower, InversePower = power,
        });
        double[] weights = [.. Enumerable.Range(1, 10).Select(place => Math.Pow(place, -power))];
        double[] probabilities = Distribution(sampler, 3, 12);
        Assert.All(weights.Zip(probabilities), pair => Assert.Equal(pair.First / weights.Sum(), pair.Second, 2e-5));
    }

    /// <summary>All sizes, both ends of the uniform numbers included.</summary>
    [Fact]
    public void EveryDrawIsBetweenStoredAndFinal()
    {
        double[] uniforms = [0, 1e-12, 0.1, 0.5, 0.9, 1 - (1.0 / (1L << 53))];
        foreach (DepthSamplerKind kind in Enum.GetValues<DepthSamplerKind>())
        {
            DepthSampler sampler = Sampler(kind);
            for (int final = 1; final <= 64; final++)
            {
                for (int stored = 1; stored <= final; stored++)
                {
                    Assert.All(uniforms, uniform => Assert.InRange(sampler.Draw(uniform, stored, final), stored, final));
                    Assert.All(uniforms, uniform => Assert.Equal(final, sampler.Draw(uniform, final, final)));
                }
            }
        }
    }

    /// <summary>The ratio of the depths is not always a number that doubles hold: 15/11 * 11 is less than 15 in them.</summary>
    [Theory]
    [InlineData(DepthSamplerKind.Lvps)]
    [InlineData(DepthSamplerKind.Sigmoid)]
    [InlineData(DepthSamplerKind.Uniform)]
    public void TheFullDepthIsReachedAtEverySize(DepthSamplerKind kind)
    {
        double uniform = kind == DepthSamplerKind.Uniform ? 1 - (1.0 / (1L << 53)) : 0;
        for (int final = 2; final <= 128; final++)
        {
            for (int stored = 1; stored < final; stored++)
            {
                Assert.True(
                    Sampler(kind).Draw(uniform, stored, final) == final, $"{stored} stored layers never run as {final}");
            }
        }
    }

    [Fact]
    public void RefusesImpossibleDepthsAndAnUnknownSampler()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => Sampler(DepthSamplerKind.Lvps).Draw(0.5, 0, 12));
        Assert.Throws<ArgumentOutOfRangeException>(() => Sampler(DepthSamplerKind.Lvps).Draw(0.5, 13, 12));
        Assert.Throws<InvalidOperationException>(
            () => new DepthSampler(new ApolloConfig { Sampler = (DepthSamplerKind)99 }).Draw(0.5, 3, 12));
    }

    private static DepthSampler Sampler(DepthSamplerKind kind) =>
        new(new ApolloConfig { Sampler = kind });

    /// <summary>The share of each depth from stored to final among evenly spaced uniform numbers.</summary>
    private static double[] Distribution(DepthSampler sampler, int stored, int final)
    {
        var counts = new double[final - stored + 1];
        for (int i = 0; i < Grid; i++)
        {
            counts[sampler.Draw((i + 0.5) / Grid, stored, final) - stored] += 1.0 / Grid;
        }

        return counts;
    }
}
