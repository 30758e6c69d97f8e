using System.IO.Hashing;
using System.Text;
using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Growth;

/// <summary>
/// Normal noise in a matrix that reads copies of units in rounds: added to what reads an even copy, and taken from what reads the
/// odd one after it. An even copy that is the last has none. So sums over units that are alike stay as they are (HyperCloning,
/// arXiv 2409.12903).
/// </summary>
internal static class PairedNoise
{
    /// <summary>The matrix with noise.</summary>
    /// <param name="weight">The matrix.</param>
    /// <param name="parameter">What it is.</param>
    /// <param name="units">Where the units along its axes come from.</param>
    /// <param name="decibels">The ratio of the mean squares of weights and noise, where there is some: 10 times its logarithm.</param>
    /// <param name="seed">Of the noise.</param>
    public static Tensor In(Tensor weight, ParameterSpec parameter, IReadOnlyList<AxisMap> units, double decibels, ulong seed)
    {
        int reads = parameter.Axes[0].Side == AxisSide.Input ? 0 : 1;
        int[] copies = [.. parameter.Axes[reads].UnitOfElement.Select(unit => units[reads].Units[unit].Copy)];
        int last = copies[^1], round = copies.Length / (last + 1);
        if (last == 0)
        {
            return weight;
        }

        float[] signs = [.. copies.Select(copy => copy % 2 == 1 ? -1 : copy < last ? 1 : 0f)];
        long[] ofEven = [.. copies.Select((copy, element) => (long)element - (copy % 2 * round))];
        Tensor noise = Normal(parameter, seed, weight.Device)
            .IndexSelect(reads, Tensor.From<long>(ofEven, [ofEven.Length], weight.Device))
            * Tensor.From<float>(signs, reads == 0 ? [signs.Length, 1] : [1, signs.Length], weight.Device);
        double noisy = (double)signs.Count(sign => sign != 0) / signs.Length;
        return weight + (noise * Math.Sqrt(MeanSquare(weight) * Math.Pow(10, -decibels / 10) * noisy / MeanSquare(noise)));
    }

    private static Tensor Normal(ParameterSpec parameter, ulong seed, Device device)
    {
        var values = new float[parameter.Elements];
        uint name = XxHash32.HashToUInt32(Encoding.UTF8.GetBytes(parameter.Name));
        new CounterRandom(seed, RandomPurpose.Growth, name, microBatch: 2).FillNormal(values, 1);
        return Tensor.From<float>(values, parameter.Shape, device);
    }

    private static double MeanSquare(Tensor tensor) => (tensor * tensor).Mean().Item();
}
