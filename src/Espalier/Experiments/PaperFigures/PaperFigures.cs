using Espalier.Configuration;
using Espalier.Reporting;
using Espalier.Training;

namespace Espalier.Experiments;

/// <summary>Figures of papers, each made anew by one command: small runs, a picture, and its numbers.</summary>
public static class PaperFigures
{
    private static readonly IPaperFigure[] Figures =
    [
        new ExpansionFigure(), new ActivationsFigure(), new CopiesFigure(), new SharpnessFigure(), new MixingFigure(), new SlopeFigure(),
    ];

    /// <summary>Their names, and what they show.</summary>
    public static IReadOnlyList<(string Name, string Shows)> All { get; } = [.. Figures.Select(figure => (figure.Name, figure.Shows))];

    /// <summary>
    /// Trains what a figure needs in the folder's `runs`, which figures share, and writes `NAME-PART.svg` and `NAME-PART.csv`. Stopped,
    /// the same call goes on.
    /// </summary>
    /// <param name="name">The figure.</param>
    /// <param name="folder">Where to.</param>
    /// <param name="overrides">Values in place of those of the runs' recipe, such as `seed=2`.</param>
    /// <param name="progress">Hears of every step, evaluation and checkpoint.</param>
    /// <param name="ended">Hears of each run that training has left.</param>
    /// <param name="stop">Asks the run under way to save its state and to leave.</param>
    /// <returns>The pictures' files; null where it was stopped.</returns>
    /// <exception cref="UserErrorException">There is no such figure, or a run cannot be made or read.</exception>
    public static IReadOnlyList<string>? Draw(
        string name, string folder, IReadOnlyList<string> overrides, Action<Recipe, TrainingProgress>? progress = null,
        Action<RunResult>? ended = null, CancellationToken stop = default)
    {
        IPaperFigure figure = Array.Find(Figures, figure => figure.Name == name) ?? throw NoFigure(name);
        var runs = new FigureRuns(folder, overrides, progress, ended, stop);
        var files = new List<string>();
        try
        {
            foreach ((string part, SvgChart picture) in figure.Draw(runs))
            {
                string file = Path.Combine(folder, $"{name}-{part}");
                AtomicFile.Write(file + ".csv", picture.ToCsv());
                AtomicFile.Write(file + ".svg", picture.ToSvg());
                files.Add(file + ".svg");
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return null;
        }

        return files;
    }

    private static UserErrorException NoFigure(string name)
    {
        string[] names = [.. Figures.Select(figure => figure.Name)];
        return new UserErrorException(
            $"There is no figure '{name}'.", $"Did you mean {NearestName.Of(name, names)}? There are {string.Join(", ", names)}.");
    }
}
