using Espalier.Configuration;
using Espalier.Growth;
using Espalier.Models;

namespace Espalier.Tests.Growth;

/// <summary>All methods, each as it is by itself, and where a run of one grows.</summary>
internal static class EveryMethod
{
    public static IEnumerable<MethodConfig> All =>
        ConfigVariants.TypesOf(typeof(MethodConfig)).Select(type => (MethodConfig)Activator.CreateInstance(type)!);

    public static MethodConfig Of(string name) => All.Single(method => method.Name == name);

    /// <summary>Every growth of a run that waits for no loss, and the updates done by then.</summary>
    public static List<(long Step, GrowthStep Growth)> Growths(IProgressiveMethod method, long steps) =>
        [.. Positions(method, steps).SelectMany(at => at.Growths.Select(growth => (at.Position.Step, growth)))];

    /// <summary>Where the run stands at each update, and how it grew just before.</summary>
    public static IEnumerable<(TrainingPosition Position, List<GrowthStep> Growths)> Positions(IProgressiveMethod method, long steps)
    {
        ModelConfig model = method.InitialModel;
        var position = new TrainingPosition();
        for (long step = 0; step < steps; step++)
        {
            position = position with { Step = step, ScheduleStep = step };
            List<GrowthStep> growths = [];
            while (method.Next(model, position) is { } growth)
            {
                growths.Add(growth);
                model = growth.Operator.Grow(model);
                position = position with
                {
                    Growths = [.. position.Growths, new GrowthRecord(step, growth.Operator.ToString(), growth.Rewarm)],
                };
            }

            yield return (position, growths);
        }
    }
}
