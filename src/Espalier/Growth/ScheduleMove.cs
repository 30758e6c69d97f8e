using System.Globalization;
using Espalier.Configuration;

namespace Espalier.Growth;

/// <summary>What happens to the position on the learning rate's schedule.</summary>
public enum ScheduleMoveKind
{
    /// <summary>Nothing.</summary>
    Continue,

    /// <summary>It goes back to the beginning (G_stack, arXiv 2405.15319).</summary>
    Restart,

    /// <summary>It goes back to where the warm-up has ended (MSG's released code).</summary>
    Peak,

    /// <summary>It is divided by a number (Staged Training, arXiv 2203.06211).</summary>
    Rewind,

    /// <summary>It goes to a point of the run.</summary>
    To,
}

/// <summary>
/// Where the learning rate's schedule goes on after a growth: `continue`, `restart`, `peak`, `rewind 1.412` or `to 10 %`. Wherever that is,
/// what is left of the schedule is then spread over what is left of the run, so that it ends with it.
/// </summary>
/// <param name="Kind">What happens.</param>
/// <param name="Ratio">What the position is divided by; at least 1.</param>
/// <param name="Point">The point of the run.</param>
public sealed record ScheduleMove(ScheduleMoveKind Kind, double Ratio = 1, Duration Point = default) : IConfigValue<ScheduleMove>
{
    /// <inheritdoc/>
    public static string Expected => "write continue, restart, peak, `rewind 1.412` or `to 10 %`";

    /// <summary>The schedule goes on.</summary>
    public static ScheduleMove Continue { get; } = new(ScheduleMoveKind.Continue);

    /// <summary>The schedule begins anew.</summary>
    public static ScheduleMove Restart { get; } = new(ScheduleMoveKind.Restart);

    /// <summary>The schedule goes back to the end of its warm-up.</summary>
    public static ScheduleMove Peak { get; } = new(ScheduleMoveKind.Peak);

    /// <summary>The position is divided by a number.</summary>
    public static ScheduleMove Rewind(double ratio) => new(ScheduleMoveKind.Rewind, ratio);

    /// <summary>The position after it.</summary>
    /// <param name="position">The position before.</param>
    /// <param name="run">The run.</param>
    public double From(double position, RunShape run) => Kind switch
    {
        ScheduleMoveKind.Restart => 0,
        ScheduleMoveKind.Peak => run.WarmupSteps,
        ScheduleMoveKind.Rewind => position / Ratio,
        ScheduleMoveKind.To => run.Steps(Point),
        _ => position,
    };

    /// <inheritdoc/>
    public static ScheduleMove Parse(ConfigText text)
    {
        ArgumentNullException.ThrowIfNull(text);
        string[] words = text.Text.Trim().Split(' ', 2, StringSplitOptions.TrimEntries);
        switch (words)
        {
            case ["continue"]:
                return Continue;
            case ["restart"]:
                return Restart;
            case ["peak"]:
                return Peak;
            case ["rewind", string number] when double.TryParse(number, NumberStyles.Float, CultureInfo.InvariantCulture, out double ratio):
                return ratio is >= 1 and < double.PositiveInfinity ? Rewind(ratio) : throw new BadValueException(
                    $"`{text.Text}` would not go back", "give a number of 1 or more: what the position is divided by");
            case ["to", string point] when Duration.TryParse(point, out Duration to, out _):
                return new ScheduleMove(ScheduleMoveKind.To, Point: to);
            default:
                throw new BadValueException($"`{text.Text}` says nothing about the schedule", Expected);
        }
    }

    /// <summary>The YAML form.</summary>
    public override string ToString() => Kind switch
    {
        ScheduleMoveKind.Rewind => string.Create(CultureInfo.InvariantCulture, $"rewind {Ratio}"),
        ScheduleMoveKind.To => $"to {Point}",
        _ => ConfigKeys.Kebab(Kind),
    };
}
