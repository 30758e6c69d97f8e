using Espalier.Cli;

namespace Espalier.Tests.Cli;

[Collection(ConsoleCollection.Name)]
public sealed class ProgressLineTests
{
    /// <summary>Whatever is held back so that logs stay short, what ends is seen to have ended.</summary>
    [Fact]
    public void TheLastStateOfEachActivityIsShown()
    {
        TextWriter before = Console.Error;
        using var error = new StringWriter();
        Console.SetError(error);
        try
        {
            using var line = new ProgressLine();
            line.Show(() => "reading 10 %");
            line.Show(() => "reading 50 %");
            line.Show(() => "reading 100 %");
            line.Show(() => "writing 10 %", always: true);
            line.Show(() => "writing 50 %");
            line.Show(() => "writing 100 %");
        }
        finally
        {
            Console.SetError(before);
        }

        string[] shown = ["reading 10 %", "reading 100 %", "writing 10 %", "writing 100 %"];
        int[] places = [.. shown.Select(text => error.ToString().IndexOf(text, StringComparison.Ordinal))];
        Assert.DoesNotContain(-1, places);
        Assert.Equal(places.Order(), places);
        Assert.DoesNotContain("50 %", error.ToString(), StringComparison.Ordinal);
    }
}
