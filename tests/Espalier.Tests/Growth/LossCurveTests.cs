using Espalier.Growth;

namespace Espalier.Tests.Growth;

public class LossCurveTests
{
    [Fact]
    public void APointIsTheMeanOfItsInterval()
    {
        var curve = new LossCurve(3);
        for (int step = 1; step <= 8; step++)
        {
            curve = curve.Add(10 - step, step, step * 100.0);
        }

        Assert.Equal([new LossPoint(3, 300, 8), new LossPoint(6, 600, 5)], curve.Points.ToArray());
        Assert.Equal((2, 5.0), (curve.PendingSteps, curve.PendingLoss));
    }

    [Fact]
    public void ACurveOfThePastEndsThere()
    {
        var curve = new LossCurve(1);
        for (int step = 1; step <= 8; step++)
        {
            curve = curve.Add(step, step, 0);
        }

        Assert.Equal([1.0, 2, 3], curve.UpTo(3).Points.Select(point => point.Loss));
        Assert.Equal(curve.Points.ToArray(), curve.UpTo(8).Points.ToArray());

        // What is pending belongs to the present.
        Assert.Equal(0, new LossCurve(3).Add(1, 1, 0).UpTo(1).PendingSteps);
    }
}
