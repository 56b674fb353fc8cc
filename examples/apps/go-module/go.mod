module example.org/harbour/sonar

go 1.18

require example.org/sounding v1.0.0
