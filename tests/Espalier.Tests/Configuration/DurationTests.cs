using Espalier.Configuration;
using Espalier.Tests.Training;
using FsCheck;
using FsCheck.Fluent;

namespace Espalier.Tests.Configuration;

public class DurationTests
{
    [Theory]
    [InlineData("2000 steps", 2000, DurationUnit.Steps)]
    [InlineData("1 step", 1, DurationUnit.Steps)]
    [InlineData("5 %", 5, DurationUnit.Percent)]
    [InlineData("2.5%", 2.5, DurationUnit.Percent)]
    [InlineData(" 1.5e9  tokens ", 1.5e9, DurationUnit.Tokens)]
    [InlineData("0 steps", 0, DurationUnit.Steps)]
    public void Reads(string text, double value, DurationUnit unit) =>
        Assert.Equal(new Duration(value, unit), Duration.Parse(text));

    [Theory]
    [InlineData("2000", "unit is missing")]
    [InlineData("", "NUMBER UNIT")]
    [InlineData("steps", "NUMBER UNIT")]
    [InlineData("5 epochs", "`epochs` does not exist")]
    [InlineData("-5 steps", "negative")]
    [InlineData("1.5 steps", "whole")]
    [InlineData("101 %", "longer than the whole run")]
    [InlineData("1e300 tokens", "too large")]
    [InlineData("NaN steps", "NUMBER UNIT")]
    [InlineData("Infinity %", "NUMBER UNIT")]
    public void SaysWhyNot(string text, string why)
    {
        var error = Assert.Throws<UserErrorException>(() => Duration.Parse(text));
        Assert.Contains(why, error.Message, StringComparison.Ordinal);
        Assert.Contains("2000 steps", error.Hint, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("5 %", 6000, 300)]
    [InlineData("2.5 %", 100, 3)]
    [InlineData("0.1 %", 100, 0)]
    [InlineData("1000 tokens", 6000, 2)]
    [InlineData("7 steps", 1, 7)]
    public void CountsSteps(string text, long total, long expected) =>
        Assert.Equal(expected, Duration.Parse(text).ToSteps(total, tokensPerStep: 512));

    [Fact]
    public void ReadsBackWhatItWrites() => Check.QuickThrowOnFailure(Prop.ForAll(
        Generators.Durations.ToArbitrary(), duration => Duration.Parse(duration.ToString()) == duration));
}
