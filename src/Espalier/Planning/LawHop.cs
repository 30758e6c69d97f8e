namespace Espalier.Planning;

/// <summary>A growth by the rule of slopes as a scaling law foresees it; the same for every size.</summary>
/// <param name="Ratio">The step before growth over that of the large model at the same loss.</param>
/// <param name="Saving">Of training the large model from scratch until its own curve is too flat.</param>
internal readonly record struct LawHop(double Ratio, double Saving)
{
    /// <summary>Foresees a growth.</summary>
    /// <param name="law">The law.</param>
    /// <param name="size">N of the large model.</param>
    /// <param name="factor">How many times the small model's parameters those are.</param>
    /// <param name="slope">Where to grow.</param>
    /// <param name="stopSlope">Where the large model stops.</param>
    public static LawHop Of(ScalingLaw law, double size, double factor, double slope, double stopSlope)
    {
        double small = size / factor, loss = law.LossAtSlope(small, slope);
        return new LawHop(
            law.Steps(small, loss) / law.Steps(size, loss),
            (law.Flops(size, loss) - law.Flops(small, loss)) / law.Flops(size, law.LossAtSlope(size, stopSlope)));
    }
}
